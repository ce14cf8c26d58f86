//! Appends a message to its conversation and to the inboxes of both participants.

use std::sync::Arc;

use dm_core::store::{
    Answer, AppendMessage, Appended, Counts, Event, InboxEntry, InboxSeq, Message, Notification, Prepared,
    Refusal, Stop,
};
use rusqlite::{Error, OptionalExtension, Result, params};

use super::heads::InboxHead;
use super::inbox::MessageRow;
use super::plan::{AppendPlan, Plan};
use super::{Batch, PendingClientId};
use crate::codec::{self, MESSAGE_COLUMN_COUNT, MESSAGE_COLUMNS};

impl Batch<'_> {
    /// Checks a message. If the sender has used the client id before, finds the stored message, or
    /// refuses a write that differs from it.
    pub(super) fn plan_append(&mut self, write: AppendMessage) -> Result<Prepared<Plan>, Stop<Error>> {
        let conversation = self
            .heads
            .conversation(self.connection, self.recent, write.conversation)
            .map_err(Stop::Failed)?
            .ok_or(Refusal::NotFound)?;
        let sender = write.sender.user;
        let side = conversation.participants.side(sender).ok_or(Refusal::NotFound)?;
        let sender_user = self.user_or_new(sender).map_err(Stop::Failed)?;
        let message_ref = self.heads.next_message_ref(self.connection).map_err(Stop::Failed)?;
        if !self.insert_client_id(&write, sender_user.inbox, message_ref).map_err(Stop::Failed)? {
            let stored = self.earlier_message(&write, sender_user.inbox).map_err(Stop::Failed)?;
            let (message, sender_seq) = stored.ok_or(Refusal::ClientIdReused)?;
            return Ok(Prepared::Found(write.retry_answer(Arc::new(message), sender_seq)?));
        }

        let recipient = conversation.participants.participant(side.other());
        let recipient_user = self.user_or_new(recipient).map_err(Stop::Failed)?;
        let bytes = u64::try_from(write.ciphertext.len()).unwrap_or(u64::MAX);
        let counts = conversation.counts.after_message(side, bytes);
        conversation.gate.check_message(side, &counts)?;
        sender_user.gate.check_message(sender, sender_user.inbox.head.next())?;
        recipient_user.gate.check_message(recipient, recipient_user.inbox.head.next())?;
        Ok(Prepared::Ready(Plan::Append(Box::new(AppendPlan {
            write,
            recipient,
            sender_inbox: sender_user.inbox,
            recipient_inbox: recipient_user.inbox,
            message_ref,
            conversation_ref: conversation.conversation_ref,
            sequence: conversation.head.next(),
            sender_sequence: counts.side(side).sent,
            counts,
        }))))
    }

    /// Appends a message whose checks have passed.
    pub(super) fn append_message(
        &mut self,
        plan: AppendPlan,
        appended: &mut Vec<Notification>,
    ) -> Result<Answer> {
        self.pending_client_id = None;
        let AppendPlan { write, recipient, sender_inbox, recipient_inbox, counts, .. } = plan;
        let (message_ref, conversation_ref) = (plan.message_ref, plan.conversation_ref);
        let (at, sender) = (write.at, write.sender.clone());
        let message = Arc::new(write.into_message(plan.sequence, plan.sender_sequence));
        let seq = codec::u64_to_i64(message.sequence.get());
        let row = MessageRow { message_ref, conversation_ref, seq };
        self.insert_message(row, &message, &counts, [sender_inbox, recipient_inbox])?;
        let entry = |origin| {
            let event = Event::Message(Arc::clone(&message));
            InboxEntry { seq: InboxSeq::ZERO, at, origin, addressee: None, event }
        };
        let sent = self.append_message_entry((sender.user, sender_inbox), row, entry(Some(sender.device)))?;
        let received = self.append_message_entry((recipient, recipient_inbox), row, entry(None))?;
        if let Some(known) = self.heads.conversation_mut(message.conversation) {
            (known.head, known.counts) = (message.sequence, counts);
        }
        let sender_seq = sent.entry.seq;
        appended.extend([sent, received]);
        Ok(Answer::MessageAppended(Appended { message, sender_seq }))
    }

    /// Deletes the client id of a write that was refused after it had stored the client id.
    pub(super) fn delete_pending_client_id(&mut self) -> Result<()> {
        let Some(PendingClientId { client_id, sender_ref }) = self.pending_client_id.take() else {
            return Ok(());
        };
        self.connection
            .prepare_cached("DELETE FROM dm_client_ids WHERE client_id = ?1 AND sender = ?2")?
            .execute(params![client_id.as_bytes(), sender_ref])?;
        Ok(())
    }

    /// Stores the client id of the message that gets the `ref` `message_ref`. Returns `true` if the
    /// client id is stored or the write has none. Returns `false` and changes nothing if the sender
    /// has used the client id before.
    ///
    /// A single statement checks and inserts, so the table is searched only once. If a later check
    /// refuses the write, the client id is deleted again.
    fn insert_client_id(
        &mut self,
        write: &AppendMessage,
        sender: InboxHead,
        message_ref: i64,
    ) -> Result<bool> {
        let Some(client_id) = write.client_id else { return Ok(true) };
        let sender_ref = sender.user_ref;
        let inserted =
            self.statements.client_id()?.execute(params![client_id.as_bytes(), sender_ref, message_ref])?;
        if inserted == 0 {
            return Ok(false);
        }
        self.pending_client_id = Some(PendingClientId { client_id, sender_ref });
        Ok(true)
    }

    /// The message that the sender sent with this client id before, and the number of its entry in
    /// the sender's inbox. `None` if there is none.
    fn earlier_message(
        &self,
        write: &AppendMessage,
        sender: InboxHead,
    ) -> Result<Option<(Message, InboxSeq)>> {
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

    /// Inserts a message into `dm_messages`, and its number in the conversation into the current
    /// run. `inboxes` are those of the sender and the recipient before the message.
    fn insert_message(
        &mut self,
        row: MessageRow,
        message: &Message,
        counts: &Counts,
        inboxes: [InboxHead; 2],
    ) -> Result<()> {
        let MessageRow { message_ref, conversation_ref, seq } = row;
        let [sender, recipient] = inboxes;
        let ciphertext = &message.ciphertext;
        let at = codec::time_to_i64(message.received_at);
        self.statements.message()?.execute(params![
            message_ref,
            message.id.as_bytes(),
            conversation_ref,
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
            codec::u64_to_i64(message.sender_sequence.get()),
        ])?;
        self.heads.set_newest_message_ref(message_ref);
        self.counts.clear();
        counts.encode(&mut self.counts);
        let run = self.recent.current_run();
        self.statements.sequence()?.execute(params![
            run,
            conversation_ref,
            seq,
            message_ref,
            at,
            self.counts.as_slice()
        ])?;
        self.recent.record_message(conversation_ref, seq);
        Ok(())
    }
}
