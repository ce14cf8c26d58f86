//! Appending to an inbox, and the users who have one.

use dm_core::{DeviceId, Event, InboxEntry, InboxSeq, Notification, ServerSequence, Timestamp, UserId};
use rusqlite::params;

use super::Batch;
use crate::codec;
use crate::heads::User;

/// What an entry points to.
pub(super) enum Content {
    /// A message, by its row, and its conversation's row and its number there.
    Message { message_ref: i64, thread_ref: i64, seq: ServerSequence },
    /// Something that the entry holds itself.
    Notice(Vec<u8>),
}

impl Batch<'_> {
    /// A user, who gets a row if they have none.
    pub(super) fn user_or_new(&mut self, user: UserId) -> rusqlite::Result<User> {
        if let Some(known) = self.heads.user(self.connection, &self.recent.layout, user)? {
            return Ok(known);
        }
        self.connection
            .prepare_cached("INSERT INTO dm_users (pubkey) VALUES (?1)")?
            .execute([user.as_bytes()])?;
        let new =
            User { user_ref: self.connection.last_insert_rowid(), head: InboxSeq::ZERO, is_empty: true };
        self.heads.set_user(user, new);
        Ok(new)
    }

    /// Appends an entry to a user's inbox.
    pub(super) fn append_entry(
        &mut self,
        owner: UserId,
        at: Timestamp,
        origin: Option<&DeviceId>,
        content: Content,
        event: Event,
    ) -> rusqlite::Result<Notification> {
        let user = self.user_or_new(owner)?;
        let seq = user.head.next();
        let (message, notice, thread, number) = match content {
            Content::Message { message_ref, thread_ref, seq } => {
                (Some(message_ref), None, Some(thread_ref), Some(codec::bound(seq.get())))
            }
            Content::Notice(notice) => (None, Some(notice), None, None),
        };
        self.connection
            .prepare_cached(if self.recent.layout.growing() == 0 {
                "INSERT INTO dm_recent_inbox_0 (run, user, seq, at, message, notice, origin, conversation,
                                                conversation_seq)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
            } else {
                "INSERT INTO dm_recent_inbox_1 (run, user, seq, at, message, notice, origin, conversation,
                                                conversation_seq)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
            })?
            .execute(params![
                self.recent.run(),
                user.user_ref,
                codec::bound(seq.get()),
                codec::time(at),
                message,
                notice,
                codec::origin(origin),
                thread,
                number
            ])?;
        self.recent.count();
        if user.is_empty {
            self.connection
                .prepare_cached("UPDATE dm_users SET oldest_at = ?2 WHERE ref = ?1")?
                .execute(params![user.user_ref, codec::time(at)])?;
        }
        self.heads.set_user(owner, User { head: seq, is_empty: false, ..user });
        Ok(Notification { user: owner, entry: InboxEntry { seq, at, origin: origin.cloned(), event } })
    }
}
