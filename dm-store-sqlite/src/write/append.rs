//! Appending a message to its conversation and to both inboxes.

use std::sync::Arc;

use dm_core::{AppendMessage, Appended, Event, InboxSeq, Message, Outcome, Refusal, UserId};
use rusqlite::{OptionalExtension, params};

use super::inbox::Content;
use super::{Batch, Stop};
use crate::codec::{self, MESSAGE, MESSAGE_COLUMNS};
use crate::heads::{Thread, User};

impl Batch<'_> {
    pub(super) fn append_message(&mut self, write: AppendMessage) -> Result<Outcome, Stop> {
        let thread = self
            .heads
            .thread(self.connection, &self.recent.layout, write.conversation)?
            .ok_or(Refusal::NotFound)?;
        let sender = write.sender.user;
        let recipient = thread.participants.peer_of(sender).ok_or(Refusal::NotFound)?;
        let sender_head = self.user_or_new(sender)?;
        if let Some((message, sender_seq)) = self.sent_before(&write, sender_head)? {
            return if write.repeats(&message) {
                let message = Arc::new(message);
                Ok(Outcome::MessageAppended(Appended {
                    message,
                    sender_seq,
                    repeated: true,
                    appended: Vec::new(),
                }))
            } else {
                Err(Refusal::ClientIdReused.into())
            };
        }
        self.refuse_stale_key(&write, recipient)?;

        let (at, device) = (write.at, write.sender.device.clone());
        let message = Arc::new(write.into_message(thread.head.next()));
        let sender_seq = sender_head.head.next();
        let recipient_seq = self.user_or_new(recipient)?.head.next();
        let message_ref = self.insert_message(&message, thread, sender_head, sender_seq, recipient_seq)?;
        let event = || Event::Message(Arc::clone(&message));
        let content =
            || Content::Message { message_ref, thread_ref: thread.thread_ref, seq: message.sequence };
        let sent = self.append_entry(sender, at, Some(&device), content(), event())?;
        let received = self.append_entry(recipient, at, None, content(), event())?;
        self.heads.set_thread(message.conversation, Thread { head: message.sequence, ..thread });
        let appended = vec![sent, received];
        Ok(Outcome::MessageAppended(Appended { message, sender_seq, repeated: false, appended }))
    }

    /// The message that the sender gave this client id before, and its place in their inbox.
    fn sent_before(
        &self,
        write: &AppendMessage,
        sender: User,
    ) -> rusqlite::Result<Option<(Message, InboxSeq)>> {
        let Some(client_id) = write.client_id else { return Ok(None) };
        let message: Option<i64> = self
            .connection
            .prepare_cached("SELECT message FROM dm_client_ids WHERE client_id = ?1 AND sender = ?2")?
            .query_row(params![client_id.as_bytes(), sender.user_ref], |row| row.get(0))
            .optional()?;
        let Some(message) = message else { return Ok(None) };
        self.connection
            .prepare_cached(&format!(
                "SELECT {MESSAGE}, m.sender_seq FROM dm_messages m
                 JOIN dm_conversations c ON c.ref = m.conversation JOIN dm_users u ON u.ref = m.sender
                 WHERE m.ref = +?1"
            ))?
            .query_row([message], |row| Ok((codec::message(row, 0)?, codec::get_seq(row, MESSAGE_COLUMNS)?)))
            .optional()
    }

    fn refuse_stale_key(&self, write: &AppendMessage, recipient: UserId) -> Result<(), Stop> {
        let Some(named) = write.recipient_key_version else { return Ok(()) };
        let current = crate::read::key(self.connection, recipient)?;
        if current.is_some_and(|current| current.version == named) {
            Ok(())
        } else {
            Err(Refusal::StaleKey { current }.into())
        }
    }

    fn insert_message(
        &self,
        message: &Message,
        thread: Thread,
        sender: User,
        sender_seq: InboxSeq,
        recipient_seq: InboxSeq,
    ) -> rusqlite::Result<i64> {
        let ciphertext = &message.ciphertext;
        let seq = codec::bound(message.sequence.get());
        let at = codec::time(message.received_at);
        self.connection
            .prepare_cached(
                "INSERT INTO dm_messages (id, conversation, seq, sender, sender_seq, recipient_seq, client_id, sent_at,
                                          received_at, suite, nonce, ephemeral, payload)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute(params![
                message.id.as_bytes(),
                thread.thread_ref,
                seq,
                sender.user_ref,
                codec::bound(sender_seq.get()),
                codec::bound(recipient_seq.get()),
                message.client_id.as_ref().map(|id| id.as_bytes()),
                codec::time(message.sent_at),
                at,
                ciphertext.suite().map(|suite| suite.0),
                ciphertext.nonce(),
                ciphertext.ephemeral(),
                ciphertext.payload().as_ref(),
            ])?;
        let message_ref = self.connection.last_insert_rowid();
        self.connection
            .prepare_cached(if self.recent.layout.growing() == 0 {
                "INSERT INTO dm_recent_sequence_0 (run, conversation, seq, message, at) VALUES (?1, ?2, ?3, ?4, ?5)"
            } else {
                "INSERT INTO dm_recent_sequence_1 (run, conversation, seq, message, at) VALUES (?1, ?2, ?3, ?4, ?5)"
            })?
            .execute(params![self.recent.run(), thread.thread_ref, seq, message_ref, at])?;
        if let Some(client_id) = message.client_id {
            self.connection
                .prepare_cached("INSERT INTO dm_client_ids (client_id, sender, message) VALUES (?1, ?2, ?3)")?
                .execute(params![client_id.as_bytes(), sender.user_ref, message_ref])?;
        }
        Ok(message_ref)
    }
}
