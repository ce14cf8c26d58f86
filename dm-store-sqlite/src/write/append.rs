//! Appends a message to its conversation and to the inboxes of both participants.

use std::sync::Arc;

use dm_core::store::{AppendMessage, Appended, Event, InboxSeq, Message, Outcome, Refusal, UserId};
use rusqlite::{OptionalExtension, params};

use super::heads::{ConversationHead, UserHead};
use super::inbox::Content;
use super::{Batch, WriteError};
use crate::codec::{self, MESSAGE_COLUMN_COUNT, MESSAGE_COLUMNS};

impl Batch<'_> {
    /// Appends a message. If the sender has used the client id before, appends nothing, and returns
    /// the stored message or refuses a write that differs from that message.
    pub(super) fn append_message(&mut self, write: AppendMessage) -> Result<Outcome, WriteError> {
        let conversation = self
            .heads
            .conversation(self.connection, self.recent, write.conversation)?
            .ok_or(Refusal::NotFound)?;
        let sender = write.sender.user;
        let recipient = conversation.participants.peer_of(sender).ok_or(Refusal::NotFound)?;
        let sender_user = self.user_or_new(sender)?;
        let stale_key = self.stale_key(&write, recipient)?;
        let message_ref = self.heads.next_message_ref(self.connection)?;
        // A refused write must not store the client id. So all checks come before the insert.
        if stale_key.is_some() || !self.insert_client_id(&write, sender_user, message_ref)? {
            return match self.earlier_message(&write, sender_user)? {
                Some((message, sender_seq)) => Ok(write.retry_answer(Arc::new(message), sender_seq)?),
                None => Err(stale_key.unwrap_or(Refusal::ClientIdReused).into()),
            };
        }

        let (at, device) = (write.at, write.sender.device.clone());
        let message = Arc::new(write.into_message(conversation.head.next()));
        let recipient_user = self.user_or_new(recipient)?;
        self.insert_message(message_ref, &message, conversation, sender_user, recipient_user)?;
        let event = || Event::Message(Arc::clone(&message));
        let content = || Content::Message {
            message_ref,
            conversation_ref: conversation.conversation_ref,
            seq: message.sequence,
        };
        let sender_entry = self.append_entry((sender, sender_user), at, Some(&device), content(), event())?;
        let recipient_entry = self.append_entry((recipient, recipient_user), at, None, content(), event())?;
        self.heads.update_conversation(
            message.conversation,
            ConversationHead { head: message.sequence, ..conversation },
        );
        let (sender_seq, appended) = (sender_entry.entry.seq, vec![sender_entry, recipient_entry]);
        Ok(Outcome::MessageAppended(Appended { message, sender_seq, repeated: false, appended }))
    }

    /// Stores the client id of the message that gets the `ref` `message_ref`. Returns `true` if the
    /// client id is stored or the write has none. Returns `false` and changes nothing if the sender
    /// has used the client id before. A single statement checks and inserts, so the table is
    /// searched only once.
    fn insert_client_id(
        &mut self,
        write: &AppendMessage,
        sender: UserHead,
        message_ref: i64,
    ) -> rusqlite::Result<bool> {
        let Some(client_id) = write.client_id else { return Ok(true) };
        let inserted = self.statements.client_id()?.execute(params![
            client_id.as_bytes(),
            sender.user_ref,
            message_ref
        ])?;
        Ok(inserted > 0)
    }

    /// The message that the sender sent with this client id before, and the number of its entry in
    /// the sender's inbox. `None` if there is none.
    fn earlier_message(
        &self,
        write: &AppendMessage,
        sender: UserHead,
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
                "SELECT {MESSAGE_COLUMNS}, m.sender_seq FROM dm_messages m
                 JOIN dm_conversations c ON c.ref = m.conversation JOIN dm_users u ON u.ref = m.sender
                 WHERE m.ref = +?1"
            ))?
            .query_row([message], |row| {
                Ok((codec::message(row, 0)?, codec::get_seq(row, MESSAGE_COLUMN_COUNT)?))
            })
            .optional()
    }

    /// The refusal of a message that was not encrypted with the recipient's current key. `None` if
    /// it was, or if the write names no key.
    fn stale_key(&self, write: &AppendMessage, recipient: UserId) -> rusqlite::Result<Option<Refusal>> {
        if write.recipient_key_version.is_none() {
            return Ok(None);
        }
        Ok(write.check_key(crate::read::key(self.connection, recipient)?).err())
    }

    /// Inserts a message into `dm_messages`, and its number in the conversation into the current
    /// run.
    fn insert_message(
        &mut self,
        message_ref: i64,
        message: &Message,
        conversation: ConversationHead,
        sender: UserHead,
        recipient: UserHead,
    ) -> rusqlite::Result<()> {
        let ciphertext = &message.ciphertext;
        let seq = codec::u64_to_i64(message.sequence.get());
        let at = codec::time_to_i64(message.received_at);
        self.statements.message()?.execute(params![
            message_ref,
            message.id.as_bytes(),
            conversation.conversation_ref,
            seq,
            sender.user_ref,
            codec::u64_to_i64(sender.head.next().get()),
            codec::u64_to_i64(recipient.head.next().get()),
            message.client_id.as_ref().map(|id| id.as_bytes()),
            codec::time_to_i64(message.sent_at),
            at,
            ciphertext.suite().map(|suite| suite.0),
            ciphertext.nonce(),
            ciphertext.ephemeral(),
            ciphertext.payload().as_ref(),
        ])?;
        self.heads.set_newest_message_ref(message_ref);
        self.statements.sequence()?.execute(params![
            self.recent.current_run(),
            conversation.conversation_ref,
            seq,
            message_ref,
            at
        ])?;
        self.recent.record_message(conversation.conversation_ref, seq);
        Ok(())
    }
}
