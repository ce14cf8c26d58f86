//! Appending a message to its conversation and to the inboxes of both participants.

use std::sync::Arc;

use dm_core::store::{
    Answer, AppendMessage, Appended, Event, InboxSeq, Notification, Prepared, Refusal, Stop,
};

use crate::write::decide::plan::{AppendPlan, Plan};
use crate::write::state::{BatchState, Content, InboxNumbers, NewEntry, Retry, SentMessage};

impl BatchState {
    /// Checks an append. If the sender has already sent a message with this client id, the answer is
    /// that message.
    pub(super) fn plan_append(&mut self, write: AppendMessage) -> Result<Prepared<Plan>, Stop<Retry>> {
        let head = self.conversations.get(&write.conversation).ok_or(Refusal::NotFound)?;
        let participants = head.conversation.participants;
        let sender = write.sender.user;
        let side = participants.side(sender).ok_or(Refusal::NotFound)?;
        let recipient = participants.participant(side.other());
        if let Some(sent) = write.client_id.and_then(|id| self.sent.get(&(sender, id))) {
            let answer = write.retry_answer(Arc::clone(&sent.message), sent.sender_seq)?;
            return Ok(Prepared::Found(answer));
        }
        let counts = head.counts.after_message(side, write.ciphertext.len() as u64);
        head.gate.check_message(side, &counts)?;
        for user in [sender, recipient] {
            let row = self.users.get(&user).ok_or(Stop::Failed(Retry))?;
            row.gate.check_message(user, row.head.next())?;
        }
        let sender_sequence = counts.side(side).sent;
        Ok(Prepared::Ready(Plan::Append(AppendPlan { write, recipient, counts, sender_sequence })))
    }

    pub(super) fn append_message(
        &mut self,
        plan: AppendPlan,
        appended: &mut Vec<Notification>,
    ) -> Result<Answer, Retry> {
        let AppendPlan { write, recipient, counts, sender_sequence } = plan;
        let (at, sender, device) = (write.at, write.sender.user, write.sender.device.clone());
        let head = self.conversations.get_mut(&write.conversation).ok_or(Retry)?;
        let sequence = head.sequence.next();
        (head.sequence, head.last_activity, head.counts) = (sequence, Some(at), counts);
        let message = Arc::new(write.into_message(sequence, sender_sequence));
        let entry = |origin| NewEntry {
            at,
            origin,
            addressee: None,
            content: Content::Message(message.conversation, sequence),
            event: Event::Message(Arc::clone(&message)),
        };
        let sent = self.add_entry(sender, entry(Some(device)))?;
        let received = self.add_entry(recipient, entry(None))?;
        let (sender_seq, recipient_seq): (InboxSeq, InboxSeq) = (sent.entry.seq, received.entry.seq);
        if let Some(client_id) = message.client_id {
            self.sent.insert((sender, client_id), SentMessage { message: Arc::clone(&message), sender_seq });
        }
        let numbers = InboxNumbers { sender, recipient, sender_seq, recipient_seq };
        self.inbox_numbers.insert(message.id, numbers);
        self.messages.push((Arc::clone(&message), numbers));
        appended.extend([sent, received]);
        Ok(Answer::MessageAppended(Appended { message, sender_seq }))
    }
}
