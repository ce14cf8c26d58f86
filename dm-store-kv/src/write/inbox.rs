//! Appending to an inbox, and adding users.

use std::sync::Arc;

use dm_core::notify::Notification;
use dm_core::store::{DeviceId, Event, InboxEntry, InboxSeq, Message, Notice, Timestamp, UserId};

use super::BatchWriter;
use crate::codec::{Content, EntryRow, log_key};
use crate::failure::Failure;
use crate::heads::UserHead;
use crate::rows::{Changes, RowsExt as _};

impl<T: Changes> BatchWriter<'_, T> {
    /// The head of a user. A user who has no ref yet gets one.
    pub(super) fn user_or_new(&mut self, user: UserId) -> Result<UserHead, Failure> {
        if let Some(known) = self.heads.user(self.tables, user)? {
            return Ok(known);
        }
        let user_ref = self.tables.users.next_ref()?;
        self.tables.users.insert(&user_ref.to_be_bytes(), user.as_bytes())?;
        self.tables.user_ids.insert(user.as_bytes(), &user_ref.to_be_bytes())?;
        let new = UserHead { user_ref, head: InboxSeq::ZERO, floor: InboxSeq::ZERO, is_noted: false };
        self.heads.insert_user(self.tables, user, new)?;
        Ok(new)
    }

    /// Appends an entry about a message to the inbox of `owner`, whose head is `user`. `row` is the
    /// number of the message's row in `messages`. Returns the entry, to notify the user's sessions.
    pub(super) fn append_message_entry(
        &mut self,
        (owner, user): (UserId, UserHead),
        at: Timestamp,
        origin: Option<&DeviceId>,
        row: u64,
        message: &Arc<Message>,
    ) -> Result<Notification, Failure> {
        let event = Event::Message(Arc::clone(message));
        self.append_entry((owner, user), at, origin, Content::Message(row), event)
    }

    /// Appends an entry with a notice to the inbox of `owner`. Returns the entry, to notify the
    /// user's sessions.
    pub(super) fn append_notice(
        &mut self,
        owner: UserId,
        at: Timestamp,
        origin: Option<&DeviceId>,
        notice: Notice,
    ) -> Result<Notification, Failure> {
        let user = self.user_or_new(owner)?;
        self.append_entry((owner, user), at, origin, Content::Notice(notice), Event::Notice(notice))
    }

    fn append_entry(
        &mut self,
        (owner, user): (UserId, UserHead),
        at: Timestamp,
        origin: Option<&DeviceId>,
        content: Content,
        event: Event,
    ) -> Result<Notification, Failure> {
        let seq = user.head.next();
        self.tables
            .inbox
            .insert(&log_key(user.user_ref, seq.get()), &EntryRow::encode(at, origin, content))?;
        if user.is_empty() {
            self.insert_oldest(at, user.user_ref)?;
        }
        self.heads.update_user(self.tables, owner, UserHead { head: seq, is_noted: false, ..user })?;
        Ok(Notification { user: owner, entry: InboxEntry { seq, at, origin: origin.cloned(), event } })
    }
}
