//! Appending to an inbox, and adding users.

use dm_core::store::{DeviceId, Event, InboxEntry, InboxSeq, Notification, Timestamp, UserId};

use super::BatchWriter;
use crate::codec::{EntryRow, Fields, log_key};
use crate::failure::Failure;
use crate::head::UserHead;
use crate::rows::{Changes, RowsExt as _};

/// An entry for all devices, whose number is not known yet.
pub(super) const fn new_entry(at: Timestamp, origin: Option<DeviceId>, event: Event) -> InboxEntry {
    InboxEntry { seq: InboxSeq::ZERO, at, origin, addressee: None, event }
}

impl<T: Changes> BatchWriter<'_, T> {
    /// The head of a user. A user who has no ref yet gets one.
    pub(super) fn user_or_new(&mut self, user: UserId) -> Result<UserHead, Failure> {
        if let Some(known) = self.heads.user(self.tables, user)? {
            return Ok(known);
        }
        let user_ref = self.tables.users.next_ref()?;
        self.tables.users.insert(&user_ref.to_be_bytes(), user.as_bytes())?;
        self.tables.user_ids.insert(user.as_bytes(), &user_ref.to_be_bytes())?;
        let new = UserHead::new(user_ref);
        self.heads.insert_user(self.tables, user, new)?;
        Ok(new)
    }

    /// Appends an entry to the inbox of a user, with the next number.
    pub(super) fn append_any_entry(
        &mut self,
        owner: UserId,
        entry: InboxEntry,
    ) -> Result<Notification, Failure> {
        let row = match &entry.event {
            Event::Message(message) => self
                .tables
                .message_ids
                .find(message.id.as_bytes(), |value| value.last(Fields::u64))?
                .ok_or(Failure::Damaged("an entry is about a message without a row in `message_ids`"))?,
            Event::Notice(_) => 0,
        };
        let user = self.user_or_new(owner)?;
        self.append_entry_of((owner, user), entry, row)
    }

    /// Appends an entry to the inbox of `owner`, whose head is `user`. `message_row` is the number
    /// of the message's row in `messages`, for an entry about a message. Returns the entry with its
    /// number, to notify the user's sessions.
    pub(super) fn append_entry_of(
        &mut self,
        (owner, mut user): (UserId, UserHead),
        mut entry: InboxEntry,
        message_row: u64,
    ) -> Result<Notification, Failure> {
        entry.seq = user.head.next();
        self.tables
            .inbox
            .insert(&log_key(user.user_ref, entry.seq.get()), &EntryRow::encode(&entry, message_row))?;
        if user.is_empty() {
            self.insert_oldest(entry.at, user.user_ref)?;
        }
        (user.head, user.is_noted) = (entry.seq, false);
        self.heads.update_user(self.tables, owner, user)?;
        Ok(Notification { user: owner, entry })
    }
}
