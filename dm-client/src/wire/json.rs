//! The JSON of the REST calls, and its conversion to values of this crate.

use std::time::Duration;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::fields::{Malformed, byte_array, optional_text, optional_time, optional_version, parse};
use crate::conversation::{Conversation, Participant};
use crate::error::Problem;
use crate::inbox::{AckTarget, Acknowledged, DeviceState, Gap, Ticket};
use crate::keys::KeyVersion;
use crate::message::Message;
use crate::numbers::{InboxSeq, ServerSequence};
use crate::outgoing::OutgoingMessage;
use crate::record::KeyRecord;
use crate::time::Timestamp;

#[derive(Serialize)]
pub(crate) struct PublishKey {
    pub(crate) x25519_pubkey: String,
}

#[derive(Serialize)]
pub(crate) struct OpenConversation {
    pub(crate) recipient_pubkey: String,
}

#[derive(Serialize)]
pub(crate) struct PostMessage {
    conversation_id: String,
    encrypted_payload: String,
    nonce: String,
    timestamp: u64,
    client_message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_key_version: Option<u32>,
    suite: u32,
}

impl From<&OutgoingMessage> for PostMessage {
    fn from(message: &OutgoingMessage) -> Self {
        Self {
            conversation_id: message.conversation.to_string(),
            encrypted_payload: BASE64.encode(&message.sealed.payload),
            nonce: BASE64.encode(&message.sealed.nonce),
            timestamp: message.sent_at.as_millis(),
            client_message_id: message.id.to_string(),
            recipient_key_version: message.recipient_key_version.map(KeyVersion::get),
            suite: message.sealed.suite.tag(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PostAck {
    UpTo(u64),
    MessageIds(Vec<String>),
}

impl From<AckTarget> for PostAck {
    fn from(target: AckTarget) -> Self {
        match target {
            AckTarget::UpTo(seq) => Self::UpTo(seq.get()),
            AckTarget::Messages(ids) => Self::MessageIds(ids.iter().map(ToString::to_string).collect()),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct KeyJson {
    ed25519_pubkey: String,
    x25519_pubkey: String,
    published_at: u64,
    version: Option<u32>,
    binding: Option<String>,
}

impl TryFrom<KeyJson> for KeyRecord {
    type Error = Malformed;

    fn try_from(json: KeyJson) -> Result<Self, Malformed> {
        Ok(Self {
            user: parse("ed25519_pubkey", &json.ed25519_pubkey)?,
            key: parse("x25519_pubkey", &json.x25519_pubkey)?,
            version: optional_version(json.version),
            published_at: Timestamp::from_millis(json.published_at),
            binding: json.binding.unwrap_or_default(),
        })
    }
}

#[derive(Deserialize)]
pub(crate) struct ConversationJson {
    id: String,
    participant_a_pubkey: String,
    participant_b_pubkey: String,
    participant_a_display_name: Option<String>,
    participant_b_display_name: Option<String>,
    created_at: u64,
    last_message_at: Option<u64>,
}

impl TryFrom<ConversationJson> for Conversation {
    type Error = Malformed;

    fn try_from(json: ConversationJson) -> Result<Self, Malformed> {
        let a = parse("participant_a_pubkey", &json.participant_a_pubkey)?;
        let b = parse("participant_b_pubkey", &json.participant_b_pubkey)?;
        Ok(Self {
            id: parse("id", &json.id)?,
            participants: [
                Participant { user: a, name: json.participant_a_display_name.unwrap_or_default() },
                Participant { user: b, name: json.participant_b_display_name.unwrap_or_default() },
            ],
            opened_at: Timestamp::from_millis(json.created_at),
            last_activity: json.last_message_at.and_then(optional_time),
        })
    }
}

/// A page of conversations. The server answers with this object to a request with a limit. To a
/// request without a limit, it answers with an array.
#[derive(Deserialize)]
pub(crate) struct ConversationList {
    pub(crate) conversations: Vec<ConversationJson>,
    pub(crate) next: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct MessageJson {
    id: String,
    conversation_id: String,
    sender_pubkey: String,
    encrypted_payload: String,
    nonce: String,
    timestamp: u64,
    server_sequence: u64,
    sender_display_name: Option<String>,
    client_message_id: Option<String>,
    received_at: Option<u64>,
    suite: Option<u32>,
}

impl TryFrom<MessageJson> for Message {
    type Error = Malformed;

    fn try_from(json: MessageJson) -> Result<Self, Malformed> {
        let bytes = |field, text: &str| BASE64.decode(text.as_bytes()).map_err(|_| Malformed(field));
        let client_id = optional_text(json.client_message_id);
        Ok(Self {
            id: parse("id", &json.id)?,
            conversation: parse("conversation_id", &json.conversation_id)?,
            sequence: ServerSequence::new(json.server_sequence),
            sender: parse("sender_pubkey", &json.sender_pubkey)?,
            sender_name: json.sender_display_name.unwrap_or_default(),
            sent_at: Timestamp::from_millis(json.timestamp),
            received_at: json.received_at.and_then(optional_time),
            client_id: client_id.map(|text| parse("client_message_id", &text)).transpose()?,
            suite: json.suite.unwrap_or(0),
            nonce: byte_array("nonce", &bytes("nonce", &json.nonce)?)?,
            payload: bytes("encrypted_payload", &json.encrypted_payload)?,
        })
    }
}

#[derive(Deserialize)]
pub(crate) struct MessageList {
    pub(crate) messages: Vec<MessageJson>,
    #[serde(default)]
    pub(crate) has_more: bool,
    #[serde(default)]
    pub(crate) next: Option<u64>,
    #[serde(default)]
    pub(crate) gap: Option<GapJson>,
}

#[derive(Deserialize)]
pub(crate) struct GapJson {
    from: u64,
    to: u64,
}

impl From<GapJson> for Gap {
    fn from(json: GapJson) -> Self {
        Self { from: InboxSeq::new(json.from), to: InboxSeq::new(json.to) }
    }
}

#[derive(Deserialize)]
pub(crate) struct AckAnswer {
    #[serde(default)]
    acknowledged: u64,
    #[serde(default)]
    unknown: u64,
    #[serde(default)]
    remaining: u64,
}

impl From<AckAnswer> for Acknowledged {
    fn from(answer: AckAnswer) -> Self {
        let AckAnswer { acknowledged, unknown, remaining } = answer;
        Self { acknowledged, unknown, remaining }
    }
}

#[derive(Deserialize)]
pub(crate) struct DeviceList {
    pub(crate) devices: Vec<DeviceJson>,
}

#[derive(Deserialize)]
pub(crate) struct DeviceJson {
    device: String,
    registered_at: u64,
    cursor: u64,
}

impl TryFrom<DeviceJson> for DeviceState {
    type Error = Malformed;

    fn try_from(json: DeviceJson) -> Result<Self, Malformed> {
        Ok(Self {
            device: parse("device", &json.device)?,
            cursor: InboxSeq::new(json.cursor),
            registered_at: Timestamp::from_millis(json.registered_at),
        })
    }
}

#[derive(Deserialize)]
pub(crate) struct TicketAnswer {
    ticket: String,
    #[serde(default)]
    expires_at: Option<u64>,
}

impl From<TicketAnswer> for Ticket {
    fn from(answer: TicketAnswer) -> Self {
        Self { ticket: answer.ticket, expires_at: answer.expires_at.and_then(optional_time) }
    }
}

#[derive(Deserialize)]
pub(crate) struct ProblemJson {
    #[serde(rename = "type")]
    kind: Option<String>,
    title: Option<String>,
    detail: Option<String>,
    field: Option<String>,
    retry_after_ms: Option<u64>,
    /// `Some` if the member is present, also if it is `null`. The member means that the key version
    /// of the request is not current. `Some(None)` means that the recipient has no key.
    #[serde(default, deserialize_with = "present")]
    pub(crate) current_key: Option<Option<KeyJson>>,
}

impl ProblemJson {
    pub(crate) fn into_problem(self, status: u16) -> Problem {
        let mut problem = Problem::with_status(status);
        if let Some(kind) = self.kind {
            problem.kind = kind;
        }
        problem.title = self.title.unwrap_or_default();
        problem.detail = self.detail.unwrap_or_default();
        problem.field = optional_text(self.field);
        problem.retry_after = self.retry_after_ms.map(Duration::from_millis);
        problem
    }

    /// Whether the server refused a message because the message is encrypted to another key than
    /// the recipient's current key.
    pub(crate) fn is_stale_key(&self) -> bool {
        self.current_key.is_some() || self.kind.as_deref().is_some_and(|kind| kind.ends_with("stale-key"))
    }
}

/// Deserializes a member that is present, so that `null` differs from an absent member.
fn present<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Option<Option<KeyJson>>, D::Error> {
    Option::deserialize(source).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::identity::Identity;

    fn parsed<J: serde::de::DeserializeOwned, T: TryFrom<J, Error = Malformed>>(json: Value) -> T {
        serde_json::from_value::<J>(json).unwrap().try_into().unwrap()
    }

    /// In JSON, a field without a value is zero, an empty text or `null`.
    #[test]
    fn a_field_without_a_value_is_none() {
        let user = Identity::from_seed(&[1; 32]).user_id();
        for (sent, version) in [(json!(0), None), (json!(null), None), (json!(1), Some(1))] {
            let key = json!({
                "ed25519_pubkey": user.to_string(), "x25519_pubkey": user.agreement_key().to_string(),
                "published_at": 5, "version": sent,
            });
            assert_eq!(parsed::<KeyJson, KeyRecord>(key).version.map(KeyVersion::get), version);
        }
        let id = uuid::Uuid::from_bytes([7; 16]).to_string();
        for (sent, at) in [(json!(0), None), (json!(null), None), (json!(1), Some(1))] {
            let conversation = json!({
                "id": &id, "participant_a_pubkey": user.to_string(), "participant_b_pubkey": user.to_string(),
                "created_at": 5, "last_message_at": sent,
            });
            assert_eq!(
                parsed::<ConversationJson, Conversation>(conversation).last_activity,
                at.map(Timestamp::from_millis)
            );
            let message = json!({
                "id": &id, "conversation_id": &id, "sender_pubkey": user.to_string(), "timestamp": 1,
                "encrypted_payload": "AA==", "nonce": BASE64.encode(&[0; 24]), "server_sequence": 1,
                "received_at": sent,
            });
            let message = parsed::<MessageJson, Message>(message);
            assert_eq!(message.received_at, at.map(Timestamp::from_millis));
        }
        for (sent, at) in [(json!(0), None), (json!(null), None), (json!(1), Some(1))] {
            let answer = json!({ "ticket": "t", "expires_at": sent });
            let ticket = Ticket::from(serde_json::from_value::<TicketAnswer>(answer).unwrap());
            assert_eq!(ticket.expires_at, at.map(Timestamp::from_millis));
        }
        for (sent, known) in [(json!(""), false), (json!(null), false), (json!(&id), true)] {
            let message = json!({
                "id": &id, "conversation_id": &id, "sender_pubkey": user.to_string(), "timestamp": 1,
                "encrypted_payload": "AA==", "nonce": BASE64.encode(&[0; 24]), "server_sequence": 1,
                "client_message_id": sent,
            });
            let message = parsed::<MessageJson, Message>(message);
            assert_eq!((message.client_id.is_some(), message.suite, message.received_at), (known, 0, None));
        }
    }
}
