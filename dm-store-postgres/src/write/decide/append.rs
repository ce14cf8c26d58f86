//! Appending a message to its conversation and to the inboxes of both participants.

use std::sync::Arc;

use dm_core::store::{AppendMessage, Appended, Event, Outcome, Refusal};

use crate::write::state::{BatchState, Content, InboxNumbers, SentMessage, Stop};

impl BatchState {
    /// Appends a message. If the sender has already sent a message with this client id, appends
    /// nothing and answers with the first message.
    pub(super) fn append_message(&mut self, write: &AppendMessage) -> Result<Outcome, Stop> {
        let head = self.conversations.get(&write.conversation).ok_or(Refusal::NotFound)?;
        let sequence = head.sequence.next();
        let sender = write.sender.user;
        let recipient = head.conversation.participants.peer_of(sender).ok_or(Refusal::NotFound)?;
        let (sender_seq, recipient_seq) = (self.user(sender)?.head.next(), self.user(recipient)?.head.next());
        let client_key = write.client_id.map(|id| (sender, id));
        if let Some(sent) = client_key.and_then(|id| self.sent.get(&id)) {
            return Ok(write.retry_answer(Arc::clone(&sent.message), sent.sender_seq)?);
        }
        if write.recipient_key_version.is_some() {
            write.check_key(self.user(recipient)?.key)?;
        }

        let (at, device) = (write.at, write.sender.device.clone());
        let message = Arc::new(write.clone().into_message(sequence));
        if let Some(head) = self.conversations.get_mut(&write.conversation) {
            (head.sequence, head.last_activity) = (sequence, Some(at));
        }
        let event = || Event::Message(Arc::clone(&message));
        let content = || Content::Message(message.conversation, sequence);
        let sender_entry = self.append_entry(sender, at, Some(device), content(), event())?;
        let recipient_entry = self.append_entry(recipient, at, None, content(), event())?;
        if let Some(client_key) = client_key {
            self.sent.insert(client_key, SentMessage { message: Arc::clone(&message), sender_seq });
        }
        let numbers = InboxNumbers { sender, recipient, sender_seq, recipient_seq };
        self.inbox_numbers.insert(message.id, numbers);
        self.messages.push((Arc::clone(&message), numbers));
        let appended = vec![sender_entry, recipient_entry];
        Ok(Outcome::MessageAppended(Appended { message, sender_seq, repeated: false, appended }))
    }
}
