//! Sending and reading back.

use std::sync::Arc;

use super::handle::{Service, misaligned};
use crate::device::Principal;
use crate::error::Error;
use crate::ids::{ClientMessageId, ConversationId};
use crate::key::KeyVersion;
use crate::message::{Ciphertext, Message};
use crate::numbers::InboxSeq;
use crate::store::{AppendMessage, HistoryPage, HistoryQuery, HistoryRange, Outcome, Write};
use crate::time::Timestamp;

/// A message to send.
#[derive(Clone, Debug)]
pub struct SendMessage {
    /// Where to.
    pub conversation: ConversationId,
    /// What was encrypted.
    pub ciphertext: Ciphertext,
    /// What the sender's clock says. Opaque: nothing is decided by it.
    pub sent_at: Timestamp,
    /// The sender's name for the message. With one, sending again answers with the first result and stores nothing;
    /// without one, sending again is another message.
    pub client_id: Option<ClientMessageId>,
    /// The version of the recipient's key it is encrypted to. With one, it is stored only if that is the current one.
    pub recipient_key_version: Option<KeyVersion>,
}

/// A message that is durably stored.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The message as stored.
    pub message: Arc<Message>,
    /// Its place in the sender's inbox.
    pub position: InboxSeq,
    /// Whether it was stored by an earlier send with the same client id.
    pub repeated: bool,
}

impl SendMessage {
    /// A message without a client id, encrypted to whatever key the recipient has. Set the fields for more.
    #[must_use]
    pub const fn new(conversation: ConversationId, ciphertext: Ciphertext, sent_at: Timestamp) -> Self {
        Self { conversation, ciphertext, sent_at, client_id: None, recipient_key_version: None }
    }
}

impl Service {
    /// Sends a message: one durable commit puts it into its conversation and both inboxes; then it is notified.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the caller is not in such a conversation; [`Error::TooLarge`] for the payload;
    /// [`Error::ClientIdReused`] when the client id stands for other content; [`Error::StaleKey`] when the recipient's
    /// key is another version than the one named. After [`Error::OutcomeUnknown`] send again with the same client id.
    ///
    /// # Cancel safety
    /// A dropped send happened in full or not at all; send again with the same client id to learn which.
    pub async fn send(&self, who: &Principal, message: SendMessage) -> Result<Sent, Error> {
        let limit = self.config().max_payload;
        if message.ciphertext.payload().len() > limit {
            return Err(Error::TooLarge { field: "encrypted_payload", limit });
        }
        let at = self.now();
        let write = AppendMessage {
            id: self.new_id(at).into(),
            conversation: message.conversation,
            sender: who.clone(),
            client_id: message.client_id,
            recipient_key_version: message.recipient_key_version,
            sent_at: message.sent_at,
            at,
            ciphertext: message.ciphertext,
        };
        match self.submit(Write::AppendMessage(write)).await? {
            Outcome::MessageAppended(appended) => Ok(Sent {
                message: appended.message,
                position: appended.sender_seq,
                repeated: appended.repeated,
            }),
            _ => Err(misaligned()),
        }
    }

    /// A page of a conversation's messages, of at most `limit` (capped at
    /// [`Config::history_page`](crate::Config::history_page)).
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such conversation or the caller is not in it.
    pub async fn history(
        &self,
        who: &Principal,
        conversation: ConversationId,
        range: HistoryRange,
        limit: usize,
    ) -> Result<HistoryPage, Error> {
        self.history_within(who, conversation, range, limit, usize::MAX).await
    }

    /// As [`history`](Self::history), for a caller that passes on so many bytes only: the page ends
    /// with the message that reaches `max_bytes` by [`Message::cost`] (capped at
    /// [`Config::history_bytes`](crate::Config::history_bytes)), and has at least one message where
    /// there are any.
    ///
    /// # Errors
    /// As [`history`](Self::history).
    pub async fn history_within(
        &self,
        who: &Principal,
        conversation: ConversationId,
        range: HistoryRange,
        limit: usize,
        max_bytes: usize,
    ) -> Result<HistoryPage, Error> {
        let query = HistoryQuery {
            reader: who.user,
            conversation,
            range,
            limit: limit.clamp(1, self.config().history_page),
            max_bytes: max_bytes.min(self.config().history_bytes),
        };
        self.store().history(query).await?.ok_or(Error::NotFound)
    }
}
