//! Appends entries to inboxes, and creates users.

use dm_core::store::{InboxEntry, InboxSeq, Notification, Timestamp, UserGate, UserId};
use rusqlite::{Result, params};

use super::Batch;
use super::heads::{InboxHead, UserHead};
use crate::codec;

/// The row of a message: its `ref`, the `ref` of its conversation, and its number there.
#[derive(Clone, Copy)]
pub(super) struct MessageRow {
    pub(super) message_ref: i64,
    pub(super) conversation_ref: i64,
    pub(super) seq: i64,
}

impl Batch<'_> {
    /// The values of a user; `None` if the user has no row.
    pub(super) fn user(&mut self, user: UserId) -> Result<Option<UserHead>> {
        self.heads.user(self.connection, self.recent, user)
    }

    /// The values of a user. Inserts a row if the user has none.
    pub(super) fn user_or_new(&mut self, user: UserId) -> Result<UserHead> {
        if let Some(known) = self.user(user)? {
            return Ok(known);
        }
        self.connection
            .prepare_cached("INSERT INTO dm_users (pubkey) VALUES (?1)")?
            .execute([user.as_bytes()])?;
        let user_ref = self.connection.last_insert_rowid();
        let inbox = InboxHead { user_ref, head: InboxSeq::ZERO, is_empty: true };
        let new = UserHead { inbox, fence: None, gate: UserGate::default() };
        self.heads.insert_user(user, new);
        Ok(new)
    }

    /// Appends an entry about a message to the inbox of `owner`, with the next number in place of
    /// its own. `inbox` has the owner's values before the append.
    pub(super) fn append_message_entry(
        &mut self,
        (owner, inbox): (UserId, InboxHead),
        message: MessageRow,
        mut entry: InboxEntry,
    ) -> Result<Notification> {
        entry.seq = inbox.head.next();
        let seq = codec::u64_to_i64(entry.seq.get());
        self.statements.message_entry()?.execute(params![
            self.recent.current_run(),
            inbox.user_ref,
            seq,
            codec::time_to_i64(entry.at),
            message.message_ref,
            codec::origin(entry.origin.as_ref()),
            message.conversation_ref,
            message.seq
        ])?;
        self.record_entry((owner, inbox), entry.seq, entry.at)?;
        Ok(Notification { user: owner, entry })
    }

    /// Appends an entry about a notice as [`append_message_entry`](Self::append_message_entry) does
    /// for a message. `notice` is the encoded notice of the entry.
    pub(super) fn append_notice(
        &mut self,
        (owner, inbox): (UserId, InboxHead),
        notice: &[u8],
        mut entry: InboxEntry,
    ) -> Result<Notification> {
        entry.seq = inbox.head.next();
        self.statements.notice_entry()?.execute(params![
            self.recent.current_run(),
            inbox.user_ref,
            codec::u64_to_i64(entry.seq.get()),
            codec::time_to_i64(entry.at),
            notice,
            codec::origin(entry.origin.as_ref()),
            entry.addressee.map(|addressee| codec::u64_to_i64(addressee.get()))
        ])?;
        self.record_entry((owner, inbox), entry.seq, entry.at)?;
        Ok(Notification { user: owner, entry })
    }

    /// Updates the owner's values and the runs after an entry was inserted.
    fn record_entry(
        &mut self,
        (owner, inbox): (UserId, InboxHead),
        seq: InboxSeq,
        at: Timestamp,
    ) -> Result<()> {
        self.recent.record_entry(inbox.user_ref, codec::u64_to_i64(seq.get()));
        if inbox.is_empty {
            self.connection
                .prepare_cached("UPDATE dm_users SET oldest_at = ?2 WHERE ref = ?1")?
                .execute(params![inbox.user_ref, codec::time_to_i64(at)])?;
        }
        if let Some(known) = self.heads.user_mut(owner) {
            known.inbox = InboxHead { head: seq, is_empty: false, ..inbox };
        }
        Ok(())
    }
}
