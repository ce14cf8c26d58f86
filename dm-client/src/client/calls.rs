//! The REST calls of [`Client`]. Each call is one attempt. [`Client::send`] and
//! [`Client::deliver`], in another file, retry.

use super::handle::Client;
use crate::conversation::{Conversation, ConversationPage};
use crate::device::DeviceId;
use crate::error::ClientError;
use crate::http::{MAX_ITEM_BYTES, MAX_LIST_BYTES, call, call_if_known};
use crate::ids::ConversationId;
use crate::inbox::{AckTarget, Acknowledged, DeviceState, PendingPage, Ticket};
use crate::keys::{UserId, X25519Key};
use crate::message::{HistoryPage, HistoryRange, Message, Stored};
use crate::numbers::InboxSeq;
use crate::outgoing::OutgoingMessage;
use crate::record::KeyRecord;
use crate::wire::{Malformed, json};

impl Client {
    /// Publishes the user's key and returns the key's record. Publishing the same key again has no
    /// effect.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the call fails.
    pub async fn publish_key(&self, key: &X25519Key) -> Result<KeyRecord, ClientError> {
        let body = json::PublishKey { x25519_pubkey: key.to_string() };
        let request = self.http.post(&["api", "dm", "keys"], &body);
        let (_, answer) = call::<json::KeyJson>(request, MAX_ITEM_BYTES).await?;
        Ok(answer.try_into()?)
    }

    /// The record of a user's current key, as the server reports it. Check the record with
    /// [`PeerKey::from_record`](crate::PeerKey::from_record).
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the call fails. [`is_not_found`](ClientError::is_not_found) is true if
    /// the user has published no key.
    pub async fn key(&self, user: &UserId) -> Result<KeyRecord, ClientError> {
        let request = self.http.get(&["api", "dm", "keys", &user.to_string()]);
        let (_, answer) = call::<json::KeyJson>(request, MAX_ITEM_BYTES).await?;
        Ok(answer.try_into()?)
    }

    /// The conversation with `peer`. The server opens it if it does not exist.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the call fails. [`is_not_found`](ClientError::is_not_found) is true if
    /// the server does not know `peer`.
    pub async fn open_conversation(&self, peer: &UserId) -> Result<Conversation, ClientError> {
        let body = json::OpenConversation { recipient_pubkey: peer.to_string() };
        let request = self.http.post(&["api", "dm", "conversations"], &body);
        let (_, answer) = call::<json::ConversationJson>(request, MAX_ITEM_BYTES).await?;
        Ok(answer.try_into()?)
    }

    /// A page of at most `limit` (1 to 1,000) of the user's conversations. `cursor` is the
    /// [`next`](ConversationPage::next) of the previous page; `None` requests the first page.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the call fails.
    pub async fn conversations(
        &self,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<ConversationPage, ClientError> {
        let mut request = self.http.get(&["api", "dm", "conversations"]).query(&[("limit", limit)]);
        if let Some(cursor) = cursor {
            request = request.query(&[("cursor", cursor)]);
        }
        let (_, answer) = call::<json::ConversationList>(request, MAX_LIST_BYTES).await?;
        let conversations =
            answer.conversations.into_iter().map(Conversation::try_from).collect::<Result<_, _>>()?;
        Ok(ConversationPage { conversations, next: answer.next })
    }

    /// Sends an encrypted message in one attempt. Use [`deliver`](Client::deliver) to retry until
    /// the outcome is known.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the call fails; [`ClientError::StaleKey`] if the message is encrypted to
    /// another key than the recipient's current key. After an error whose
    /// [`retry`](ClientError::retry) is not `Never`, the message may or may not be stored. Send the
    /// same message again: the answer tells whether it was stored before.
    pub async fn post_message(&self, message: &OutgoingMessage) -> Result<Stored, ClientError> {
        let request = self.http.post(&["api", "dm", "messages"], &json::PostMessage::from(message));
        let (status, answer) = call::<json::MessageJson>(request, MAX_ITEM_BYTES).await?;
        let stored = Message::try_from(answer)?;
        if stored.conversation != message.conversation {
            return Err(ClientError::Protocol("the answer is about another conversation"));
        }
        Ok(Stored {
            id: stored.id,
            sequence: stored.sequence,
            received_at: stored.received_at,
            repeated: status == reqwest::StatusCode::OK,
        })
    }

    /// A page of at most `limit` (1 to 100) messages of a conversation.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the call fails. [`is_not_found`](ClientError::is_not_found) is true if
    /// the user is in no conversation with this id.
    pub async fn history(
        &self,
        conversation: ConversationId,
        range: HistoryRange,
        limit: u16,
    ) -> Result<HistoryPage, ClientError> {
        let path = ["api", "dm", "messages", &conversation.to_string()];
        let mut request = self.http.get(&path).query(&[("limit", limit)]);
        match range {
            HistoryRange::Newest => {}
            HistoryRange::Before(sequence) => request = request.query(&[("before", sequence.get())]),
            HistoryRange::After(sequence) => request = request.query(&[("after", sequence.get())]),
        }
        let (_, answer) = call::<json::MessageList>(request, MAX_LIST_BYTES).await?;
        let messages = parse_messages(answer.messages)?;
        if messages.iter().any(|message| message.conversation != conversation) {
            return Err(ClientError::Protocol("the answer is about another conversation"));
        }
        Ok(HistoryPage { messages, has_more: answer.has_more })
    }

    /// A page of at most `limit` (1 to 1,000) messages that are pending for the device, including
    /// messages that the user's other devices sent. The page starts after the inbox entry `after`,
    /// or after the device's cursor if `after` is `None`.
    ///
    /// This call is for programs that poll. Other programs use [`connect`](Client::connect).
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the call fails.
    pub async fn pending(&self, limit: u16, after: Option<InboxSeq>) -> Result<PendingPage, ClientError> {
        let mut request = self.http.get(&["api", "dm", "offline"]);
        request = request.query(&[("limit", limit.to_string().as_str()), ("include_sent", "true")]);
        if let Some(after) = after {
            request = request.query(&[("after", after.get())]);
        }
        let (_, answer) = call::<json::MessageList>(request, MAX_LIST_BYTES).await?;
        Ok(PendingPage {
            gap: answer.gap.map(Into::into),
            messages: parse_messages(answer.messages)?,
            next: answer.next.map(InboxSeq::new),
        })
    }

    /// Acknowledges inbox entries for the device. The server does not deliver these entries to the
    /// device again. Acknowledging an entry again has no effect.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the call fails.
    pub async fn acknowledge(&self, target: AckTarget) -> Result<Acknowledged, ClientError> {
        let request = self.http.post(&["api", "dm", "offline", "ack"], &json::PostAck::from(target));
        let (_, answer) = call::<json::AckAnswer>(request, MAX_ITEM_BYTES).await?;
        Ok(answer.into())
    }

    /// The user's registered devices, oldest registration first. This call does not register the
    /// caller's own device, so the list may not contain that device.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the call fails.
    pub async fn devices(&self) -> Result<Vec<DeviceState>, ClientError> {
        let request = self.http.get(&["api", "dm", "devices"]);
        let (_, answer) = call::<json::DeviceList>(request, MAX_ITEM_BYTES).await?;
        Ok(answer.devices.into_iter().map(DeviceState::try_from).collect::<Result<_, _>>()?)
    }

    /// Removes one of the user's devices and its cursor, and ends its connections with
    /// [`End::Refused`](crate::End::Refused). Returns whether the device was registered. A removed
    /// device that connects again is registered as a new device.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the call fails. After an error whose [`retry`](ClientError::retry) is not
    /// `Never`, the device may or may not have been removed.
    pub async fn forget_device(&self, device: &DeviceId) -> Result<bool, ClientError> {
        let path = ["api", "dm", "devices", device.as_str()];
        call_if_known(self.http.request(reqwest::Method::DELETE, &path)).await
    }

    /// A ticket, with which a program can open one WebSocket without an authorization header. A
    /// program in a browser needs a ticket, because it cannot set the header.
    /// [`connect`](Client::connect) needs none.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the call fails.
    pub async fn ws_ticket(&self) -> Result<Ticket, ClientError> {
        let request = self.http.request(reqwest::Method::POST, &["api", "dm", "ws-ticket"]);
        let (_, answer) = call::<json::TicketAnswer>(request, MAX_ITEM_BYTES).await?;
        Ok(answer.into())
    }
}

fn parse_messages(list: Vec<json::MessageJson>) -> Result<Vec<Message>, Malformed> {
    list.into_iter().map(Message::try_from).collect()
}
