//! Appending a message to its conversation and to both inboxes.

use std::sync::Arc;

use dm_core::store::{AppendMessage, Appended, InboxSeq, Message, Outcome, Refusal, UserId};

use super::{BatchWriter, WriteError};
use crate::codec::{Fields, MessageHeader, SequenceRow, client_id_key, log_key};
use crate::failure::Failure;
use crate::heads::{ConversationHead, UserHead};
use crate::read::MessageReader;
use crate::rows::{Changes, RowsExt as _};

impl<T: Changes> BatchWriter<'_, T> {
    /// Appends a message. A retry with the same client id appends nothing and returns the first
    /// message.
    pub(super) fn append_message(&mut self, write: AppendMessage) -> Result<Outcome, WriteError> {
        let conversation =
            self.heads.conversation(self.tables, write.conversation)?.ok_or(Refusal::NotFound)?;
        let sender_id = write.sender.user;
        let recipient_id = conversation.participants.peer_of(sender_id).ok_or(Refusal::NotFound)?;
        let sender = self.participant(sender_id)?;
        if let Some((message, sender_seq)) = self.earlier_message(&write, sender)? {
            return Ok(write.retry_answer(message, sender_seq)?);
        }
        if write.recipient_key_version.is_some() {
            write.check_key(self.tables.key(recipient_id)?)?;
        }
        let recipient = self.participant(recipient_id)?;

        let (at, device) = (write.at, write.sender.device.clone());
        let message = Arc::new(write.into_message(conversation.head.next()));
        let header = MessageHeader {
            conversation: conversation.conversation_ref,
            sender: sender.user_ref,
            recipient: recipient.user_ref,
            sequence: message.sequence,
            sender_seq: sender.head.next(),
            recipient_seq: recipient.head.next(),
        };
        let row = self.insert_message(&message, header)?;
        let sent = self.append_message_entry((sender_id, sender), at, Some(&device), row, &message)?;
        let received = self.append_message_entry((recipient_id, recipient), at, None, row, &message)?;
        let conversation = ConversationHead { head: message.sequence, is_noted: false, ..conversation };
        self.heads.update_conversation(self.tables, message.conversation, conversation)?;
        Ok(Outcome::MessageAppended(Appended {
            message,
            sender_seq: header.sender_seq,
            repeated: false,
            appended: vec![sent, received],
        }))
    }

    /// The head of a participant of a conversation. A user without a ref is a [`Failure::Damaged`],
    /// because opening the conversation gave both participants a ref.
    fn participant(&mut self, user: UserId) -> Result<UserHead, Failure> {
        self.heads
            .user(self.tables, user)?
            .ok_or(Failure::Damaged("a participant of a conversation has no row in the table `user_ids`"))
    }

    /// The earlier message of the sender with the same client id, and the number of its entry in
    /// the sender's inbox. `None` without a client id, or if there is no such message.
    fn earlier_message(
        &self,
        write: &AppendMessage,
        sender: UserHead,
    ) -> Result<Option<(Arc<Message>, InboxSeq)>, Failure> {
        let Some(client_id) = write.client_id else { return Ok(None) };
        let key = client_id_key(client_id, sender.user_ref);
        let Some(row) = self.tables.client_ids.find(&key, |value| value.last(Fields::u64))? else {
            return Ok(None);
        };
        let (header, message) = MessageReader::new(self.tables).read(row)?;
        Ok(Some((message, header.sender_seq)))
    }

    /// Inserts all rows of a message except those in the inboxes. Returns the number of its row in
    /// `messages`.
    fn insert_message(&mut self, message: &Message, header: MessageHeader) -> Result<u64, Failure> {
        let row = self.heads.take_row_number(self.tables)?;
        let key = row.to_be_bytes();
        let sequence_row = SequenceRow { message: row, at: message.received_at };
        let tables = &mut self.tables;
        tables.messages.insert(&key, &header.encode(message))?;
        tables.message_ids.insert(message.id.as_bytes(), &key)?;
        tables
            .sequence
            .insert(&log_key(header.conversation, header.sequence.get()), &sequence_row.encode())?;
        if let Some(client_id) = message.client_id {
            tables.client_ids.insert(&client_id_key(client_id, header.sender), &key)?;
        }
        Ok(row)
    }
}
