//! Calls of [`Service`] that send messages and read history.

use std::sync::Arc;

use super::handle::{Service, outcome_mismatch};
use super::keys::Fence;
use crate::device::Principal;
use crate::error::Error;
use crate::ids::{ClientMessageId, ConversationId};
use crate::key::KeyVersion;
use crate::message::{Ciphertext, Message};
use crate::numbers::InboxSeq;
use crate::store::{
    Answer, AppendMessage, CurrentRecord, Done, Expect, HistoryPage, HistoryQuery, HistoryRange, Outcome,
    Party, Refusal, Write,
};
use crate::time::Timestamp;

/// A message to send.
#[derive(Clone, Debug)]
pub struct SendMessage {
    /// The conversation to send to.
    pub conversation: ConversationId,
    /// The encrypted payload.
    pub ciphertext: Ciphertext,
    /// The time by the sender's clock, which may be wrong. The service uses it only to recognize a
    /// second send of the same message.
    pub sent_at: Timestamp,
    /// The id that the sender's client chose for the message. A second send with the same id
    /// returns the first message and stores nothing. Without an id, a second send stores another
    /// message.
    pub client_id: Option<ClientMessageId>,
    /// The version of the recipient's key that the message is encrypted to. If it is set, the
    /// message is stored only if that version is the current one.
    pub recipient_key_version: Option<KeyVersion>,
}

/// A message that is durably stored: the answer to [`Service::send`].
#[derive(Clone, Debug)]
pub struct Sent {
    /// The message as stored.
    pub message: Arc<Message>,
    /// The number of its entry in the sender's inbox.
    pub inbox_seq: InboxSeq,
    /// Whether an earlier send with the same client id stored it.
    pub repeated: bool,
}

impl SendMessage {
    /// A message without a client id and without a key version. To add them, set the fields.
    #[must_use]
    pub const fn new(conversation: ConversationId, ciphertext: Ciphertext, sent_at: Timestamp) -> Self {
        Self { conversation, ciphertext, sent_at, client_id: None, recipient_key_version: None }
    }
}

impl Service {
    /// Sends a message: one durable commit appends it to its conversation and to both inboxes. The
    /// notifier gets the new entries after that.
    ///
    /// # Errors
    /// - [`Error::NotFound`] when the conversation does not exist or the caller is not in it.
    /// - [`Error::TooLarge`] for a payload above
    ///   [`Config::max_payload`](crate::Config::max_payload).
    /// - [`Error::ClientIdReused`] when the caller used the client id before, for different
    ///   content.
    /// - [`Error::NotAllowed`] when a gate refuses the message.
    /// - [`Error::StaleKey`] when the named key version is not the recipient's current one.
    /// - [`Error::OutcomeUnknown`]: send again with the same client id, which stores the message at
    ///   most once.
    ///
    /// # Cancel safety
    /// A send whose future is dropped happens in full or not at all. Send again with the same
    /// client id to learn which.
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
            sent_at: message.sent_at,
            at,
            ciphertext: message.ciphertext,
        };
        let mut write = Write::from(write);
        if let Some(version) = message.recipient_key_version {
            write.expects.push(Expect::Fence { of: Party::Peer, tag: version.tag() });
        }
        match self.outcome(write).await? {
            Outcome::Done(Done { answer: Answer::MessageAppended(appended), is_found, .. }) => {
                Ok(Sent { message: appended.message, inbox_seq: appended.sender_seq, repeated: is_found })
            }
            Outcome::Done(_) => Err(outcome_mismatch()),
            // The key version is the only condition of a send.
            Outcome::Refused(Refusal::Unmet { current, .. }) => {
                Err(self.stale_key(who, message.conversation, current).await)
            }
            Outcome::Refused(refusal) => Err(self.refusal_error(&refusal)),
        }
    }

    /// The error for a send that names a key version which is not the recipient's current one.
    /// `current` is the recipient's fence.
    async fn stale_key(
        &self,
        who: &Principal,
        conversation: ConversationId,
        current: Option<CurrentRecord>,
    ) -> Error {
        let Some(current) = current else { return Error::StaleKey { current: None } };
        // The refusal does not name the recipient.
        let recipient = self
            .conversation(who, conversation)
            .await
            .and_then(|state| state.conversation.participants.peer_of(who.user).ok_or(Error::NotFound));
        match recipient.and_then(|recipient| Fence::from(current).key(recipient)) {
            Ok(key) => Error::StaleKey { current: Some(Box::new(key)) },
            Err(error) => error,
        }
    }

    /// A page of a conversation's messages: at most `limit` of them, at most
    /// [`Config::history_page`](crate::Config::history_page), and at most
    /// [`Config::history_bytes`](crate::Config::history_bytes).
    ///
    /// # Errors
    /// [`Error::NotFound`] when the conversation does not exist or the caller is not in it.
    pub async fn history(
        &self,
        who: &Principal,
        conversation: ConversationId,
        range: HistoryRange,
        limit: usize,
    ) -> Result<HistoryPage, Error> {
        self.history_within(who, conversation, range, limit, usize::MAX).await
    }

    /// As [`history`](Self::history), with at most `max_bytes` by [`Message::cost`]. A page has at
    /// least one message if there is one, however large.
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
