//! Appending a message to its conversation and to both inboxes.

use std::sync::Arc;

use dm_core::store::{AppendMessage, Appended, Event, Outcome, Refusal};

use super::book::{Book, Content, Filed, Sent, Stop};

impl Book {
    pub(super) fn append_message(&mut self, write: &AppendMessage) -> Result<Outcome, Stop> {
        let thread = self.threads.get(&write.conversation).ok_or(Refusal::NotFound)?;
        let sequence = thread.head.next();
        let sender = write.sender.user;
        let recipient = thread.conversation.participants.peer_of(sender).ok_or(Refusal::NotFound)?;
        let (sender_seq, recipient_seq) = (self.user(sender)?.head.next(), self.user(recipient)?.head.next());
        let named = write.client_id.map(|id| (sender, id));
        if let Some(sent) = named.and_then(|id| self.sent.get(&id)) {
            return Ok(write.answer_again(Arc::clone(&sent.message), sent.sender_seq)?);
        }
        if write.recipient_key_version.is_some() {
            write.check_key(self.user(recipient)?.key)?;
        }

        let (at, device) = (write.at, write.sender.device.clone());
        let message = Arc::new(write.clone().into_message(sequence));
        if let Some(thread) = self.threads.get_mut(&write.conversation) {
            (thread.head, thread.last_activity) = (sequence, Some(at));
        }
        let event = || Event::Message(Arc::clone(&message));
        let content = || Content::Message(message.conversation, sequence);
        let mine = self.append_entry(sender, at, Some(device), content(), event())?;
        let theirs = self.append_entry(recipient, at, None, content(), event())?;
        if let Some(named) = named {
            self.sent.insert(named, Sent { message: Arc::clone(&message), sender_seq });
        }
        let filed = Filed { sender, recipient, sender_seq, recipient_seq };
        self.filed.insert(message.id, filed);
        self.messages.push((Arc::clone(&message), filed));
        let appended = vec![mine, theirs];
        Ok(Outcome::MessageAppended(Appended { message, sender_seq, repeated: false, appended }))
    }
}
