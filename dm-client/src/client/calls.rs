//! The REST calls, one each. None is retried here; see [`Client::send`] for what is.

use super::Client;
use crate::{
    error::ClientError,
    http::{LARGE, SMALL, call, call_known},
    ids::{ConversationId, Device},
    keys::{AgreementKey, PublicKey},
    message::{
        Acknowledge, Acknowledged, Conversation, ConversationPage, HistoryPage, HistoryRange, Message,
        PendingPage, RegisteredDevice, Stored, Ticket,
    },
    outgoing::OutgoingMessage,
    record::KeyRecord,
    wire::{Malformed, json},
};

impl Client {
    /// Publishes the user's key. The same key again changes nothing and answers with its record.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn publish_key(&self, key: &AgreementKey) -> Result<KeyRecord, ClientError> {
        let body = json::PublishKey { x25519_pubkey: key.to_string() };
        let request = self.http.post(&["api", "dm", "keys"], &body);
        let (_, answer) = call::<json::Key>(request, SMALL).await?;
        Ok(answer.try_into()?)
    }

    /// A user's current key, on the server's word: [`PeerKey::from_record`](crate::PeerKey::from_record) checks it.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; [`is_not_found`](ClientError::is_not_found) if the user has published none.
    pub async fn key(&self, user: &PublicKey) -> Result<KeyRecord, ClientError> {
        let request = self.http.get(&["api", "dm", "keys", &user.to_string()]);
        let (_, answer) = call::<json::Key>(request, SMALL).await?;
        Ok(answer.try_into()?)
    }

    /// The conversation with `peer`, opened if it does not exist.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; [`is_not_found`](ClientError::is_not_found) if the server does not know `peer`.
    pub async fn open_conversation(&self, peer: &PublicKey) -> Result<Conversation, ClientError> {
        let body = json::OpenConversation { recipient_pubkey: peer.to_string() };
        let request = self.http.post(&["api", "dm", "conversations"], &body);
        let (_, answer) = call::<json::ConversationJson>(request, SMALL).await?;
        Ok(answer.try_into()?)
    }

    /// A page of at most `limit` (1 to 1,000) of the user's conversations, from `cursor`, the
    /// [`next`](ConversationPage::next) of the page before.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn conversations(
        &self,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<ConversationPage, ClientError> {
        let mut request = self.http.get(&["api", "dm", "conversations"]).query(&[("limit", limit)]);
        if let Some(cursor) = cursor {
            request = request.query(&[("cursor", cursor)]);
        }
        let (_, answer) = call::<json::ConversationList>(request, LARGE).await?;
        let conversations =
            answer.conversations.into_iter().map(Conversation::try_from).collect::<Result<_, _>>()?;
        Ok(ConversationPage { conversations, next: answer.next })
    }

    /// Sends a sealed message, once. [`deliver`](Client::deliver) does so until it knows the outcome.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; [`ClientError::StaleKey`] if the recipient has another key than the one it is sealed to.
    /// After an error that [`retry`](ClientError::retry) says may pass, it may be stored: repeat the very same
    /// message to learn that.
    pub async fn post_message(&self, message: &OutgoingMessage) -> Result<Stored, ClientError> {
        let request = self.http.post(&["api", "dm", "messages"], &json::PostMessage::from(message));
        let (status, answer) = call::<json::MessageJson>(request, SMALL).await?;
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
    /// [`ClientError`]; [`is_not_found`](ClientError::is_not_found) if it is none of the user's.
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
            HistoryRange::Before(sequence) => request = request.query(&[("before", sequence)]),
            HistoryRange::After(sequence) => request = request.query(&[("after", sequence)]),
        }
        let (_, answer) = call::<json::MessageList>(request, LARGE).await?;
        let messages = messages(answer.messages)?;
        if messages.iter().any(|message| message.conversation != conversation) {
            return Err(ClientError::Protocol("the answer is about another conversation"));
        }
        Ok(HistoryPage { messages, has_more: answer.has_more })
    }

    /// A page of at most `limit` (1 to 1,000) messages that wait for the device, after the position `after` or
    /// what the device acknowledged. Messages that the user's other devices sent are among them.
    ///
    /// For clients that ask instead of staying connected; otherwise use [`connect`](Client::connect).
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn pending(&self, limit: u16, after: Option<u64>) -> Result<PendingPage, ClientError> {
        let mut request = self.http.get(&["api", "dm", "offline"]);
        request = request.query(&[("limit", limit.to_string().as_str()), ("include_sent", "true")]);
        if let Some(after) = after {
            request = request.query(&[("after", after)]);
        }
        let (_, answer) = call::<json::MessageList>(request, LARGE).await?;
        Ok(PendingPage {
            gap: answer.gap.map(|gap| (gap.from, gap.to)),
            messages: messages(answer.messages)?,
            next: answer.next,
        })
    }

    /// Says that messages have arrived for good on this device. Repeating it changes nothing.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn acknowledge(&self, what: Acknowledge) -> Result<Acknowledged, ClientError> {
        let body = match what {
            Acknowledge::UpTo(position) => json::PostAck::UpTo(position),
            Acknowledge::Messages(ids) => {
                json::PostAck::MessageIds(ids.iter().map(ToString::to_string).collect())
            }
        };
        let request = self.http.post(&["api", "dm", "offline", "ack"], &body);
        let (_, answer) = call::<json::AckAnswer>(request, SMALL).await?;
        Ok(Acknowledged {
            acknowledged: answer.acknowledged,
            unknown: answer.unknown,
            remaining: answer.remaining,
        })
    }

    /// The user's devices, oldest registration first. The caller's own need not be among them:
    /// asking registers nothing.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn devices(&self) -> Result<Vec<RegisteredDevice>, ClientError> {
        let (_, answer) = call::<json::DeviceList>(self.http.get(&["api", "dm", "devices"]), SMALL).await?;
        Ok(answer.devices.into_iter().map(RegisteredDevice::try_from).collect::<Result<_, _>>()?)
    }

    /// Forgets one of the user's devices: what it acknowledged, and its connections, which end as
    /// [`End::Refused`](crate::End::Refused). Whether the server knew it. A device that connects
    /// again is a new one.
    ///
    /// # Errors
    ///
    /// [`ClientError`]. After one that [`retry`](ClientError::retry) says may pass, it may be
    /// forgotten.
    pub async fn forget_device(&self, device: &Device) -> Result<bool, ClientError> {
        let path = ["api", "dm", "devices", device.as_str()];
        call_known(self.http.request(reqwest::Method::DELETE, &path)).await
    }

    /// A ticket with which one WebSocket connection can be made without a header, such as by a browser.
    /// [`connect`](Client::connect) needs none.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn ws_ticket(&self) -> Result<Ticket, ClientError> {
        let request = self.http.request(reqwest::Method::POST, &["api", "dm", "ws-ticket"]);
        let (_, answer) = call::<json::TicketAnswer>(request, SMALL).await?;
        Ok(Ticket { ticket: answer.ticket, expires_at: answer.expires_at })
    }
}

fn messages(list: Vec<json::MessageJson>) -> Result<Vec<Message>, Malformed> {
    list.into_iter().map(Message::try_from).collect()
}
