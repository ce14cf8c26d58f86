//! Appending a message to its conversation and to both inboxes.

use std::sync::Arc;

use dm_core::store::{
    Answer, AppendMessage, Appended, Counts, Event, InboxSeq, Message, Notification, Prepared, Refusal, Side,
    Stop, UserId,
};

use super::BatchWriter;
use super::inbox::new_entry;
use crate::codec::{Fields, MessageHeader, SequenceRow, client_id_key, log_key};
use crate::failure::Failure;
use crate::head::{ConversationHead, UserHead};
use crate::read::MessageReader;
use crate::rows::{Changes, RowsExt as _};

/// An append whose checks have passed.
pub(super) struct AppendPlan {
    write: AppendMessage,
    side: Side,
    conversation: ConversationHead,
    sender: UserHead,
    recipient: UserHead,
    /// The counts of the conversation with the message.
    counts: Counts,
}

impl AppendPlan {
    pub(super) fn recipient(&self) -> UserId {
        self.conversation.participants.participant(self.side.other())
    }
}

impl<T: Changes> BatchWriter<'_, T> {
    /// Checks an append. The message of an earlier send with the same client id is found.
    pub(super) fn plan_append(
        &mut self,
        write: AppendMessage,
    ) -> Result<Prepared<AppendPlan>, Stop<Failure>> {
        let conversation =
            self.heads.conversation(self.tables, write.conversation)?.ok_or(Refusal::NotFound)?;
        let sender_id = write.sender.user;
        let side = conversation.participants.side(sender_id).ok_or(Refusal::NotFound)?;
        let recipient_id = conversation.participants.participant(side.other());
        let sender = self.participant(sender_id)?;
        if let Some((message, sender_seq)) = self.earlier_message(&write, sender)? {
            return Ok(Prepared::Found(write.retry_answer(message, sender_seq)?));
        }
        let counts = conversation.counts.after_message(side, write.ciphertext.len() as u64);
        conversation.check_message(side, &counts)?;
        sender.check_message(sender_id)?;
        let recipient = self.participant(recipient_id)?;
        recipient.check_message(recipient_id)?;
        Ok(Prepared::Ready(AppendPlan { write, side, conversation, sender, recipient, counts }))
    }

    /// Appends a message.
    pub(super) fn append_message(
        &mut self,
        plan: AppendPlan,
        appended: &mut Vec<Notification>,
    ) -> Result<Answer, Failure> {
        let recipient_id = plan.recipient();
        let AppendPlan { write, side, mut conversation, sender, recipient, counts } = plan;
        let (sender_id, at, device) = (write.sender.user, write.at, write.sender.device.clone());
        let message = Arc::new(write.into_message(conversation.head.next(), counts.side(side).sent));
        let header = MessageHeader {
            conversation: conversation.conversation_ref,
            sender: sender.user_ref,
            recipient: recipient.user_ref,
            sequence: message.sequence,
            sender_seq: sender.head.next(),
            recipient_seq: recipient.head.next(),
        };
        let row = self.insert_message(&message, header, counts)?;
        let event = || Event::Message(Arc::clone(&message));
        let sent = new_entry(at, Some(device), event());
        let received = new_entry(at, None, event());
        appended.reserve_exact(2);
        appended.push(self.append_entry_of((sender_id, sender), sent, row)?);
        appended.push(self.append_entry_of((recipient_id, recipient), received, row)?);
        (conversation.head, conversation.counts, conversation.is_noted) = (message.sequence, counts, false);
        self.heads.update_conversation(self.tables, message.conversation, conversation)?;
        Ok(Answer::MessageAppended(Appended { message, sender_seq: header.sender_seq }))
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

    /// Inserts all rows of a message except those in the inboxes. `counts` are those of the
    /// conversation with the message. Returns the number of its row in `messages`.
    fn insert_message(
        &mut self,
        message: &Message,
        header: MessageHeader,
        counts: Counts,
    ) -> Result<u64, Failure> {
        let row = self.heads.take_row_number(self.tables)?;
        let key = row.to_be_bytes();
        let sequence_row = SequenceRow { message: row, at: message.received_at, counts };
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
