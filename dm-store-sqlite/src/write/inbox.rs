//! Appends entries to inboxes, and creates users.

use dm_core::notify::Notification;
use dm_core::store::{DeviceId, Event, InboxEntry, InboxSeq, ServerSequence, Timestamp, UserId};
use rusqlite::params;

use super::Batch;
use super::heads::UserHead;
use crate::codec;

/// The content of an inbox entry.
pub(super) enum Content {
    /// A message: its `ref`, the `ref` of its conversation, and its number in the conversation.
    Message { message_ref: i64, conversation_ref: i64, seq: ServerSequence },
    /// An encoded notice, which is stored in the entry's row.
    Notice(Vec<u8>),
}

impl Batch<'_> {
    /// The numbers of a user. Inserts a row if the user has none.
    pub(super) fn user_or_new(&mut self, user: UserId) -> rusqlite::Result<UserHead> {
        if let Some(known) = self.heads.user(self.connection, self.recent, user)? {
            return Ok(known);
        }
        self.connection
            .prepare_cached("INSERT INTO dm_users (pubkey) VALUES (?1)")?
            .execute([user.as_bytes()])?;
        let new =
            UserHead { user_ref: self.connection.last_insert_rowid(), head: InboxSeq::ZERO, is_empty: true };
        self.heads.insert_user(user, new);
        Ok(new)
    }

    /// Appends an entry to the inbox of `owner`. `user` has the numbers of the owner before the
    /// append. `content` is for the entry's row, and `event` is for the notification that is
    /// returned. Both must be about the same message or notice.
    pub(super) fn append_entry(
        &mut self,
        (owner, user): (UserId, UserHead),
        at: Timestamp,
        origin: Option<&DeviceId>,
        content: Content,
        event: Event,
    ) -> rusqlite::Result<Notification> {
        let seq = user.head.next();
        let (message, notice, conversation, conversation_seq) = match content {
            Content::Message { message_ref, conversation_ref, seq } => {
                (Some(message_ref), None, Some(conversation_ref), Some(codec::u64_to_i64(seq.get())))
            }
            Content::Notice(notice) => (None, Some(notice), None, None),
        };
        self.statements.entry()?.execute(params![
            self.recent.current_run(),
            user.user_ref,
            codec::u64_to_i64(seq.get()),
            codec::time_to_i64(at),
            message,
            notice,
            codec::origin(origin),
            conversation,
            conversation_seq
        ])?;
        self.recent.record_entry(user.user_ref, codec::u64_to_i64(seq.get()));
        if user.is_empty {
            self.connection
                .prepare_cached("UPDATE dm_users SET oldest_at = ?2 WHERE ref = ?1")?
                .execute(params![user.user_ref, codec::time_to_i64(at)])?;
        }
        self.heads.update_user(owner, UserHead { head: seq, is_empty: false, ..user });
        Ok(Notification { user: owner, entry: InboxEntry { seq, at, origin: origin.cloned(), event } })
    }
}
