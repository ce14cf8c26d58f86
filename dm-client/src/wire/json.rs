//! The JSON of the REST calls.

use std::time::Duration;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::{Malformed, fixed, user, uuid};
use crate::{
    error::Problem,
    ids::{ClientMessageId, ConversationId, MessageId},
    keys::AgreementKey,
    message::{Conversation, Message, Participant, RegisteredDevice},
    outgoing::OutgoingMessage,
    record::KeyRecord,
};

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
            timestamp: message.sent_at,
            client_message_id: message.id.to_string(),
            recipient_key_version: message.recipient_key_version,
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

#[derive(Deserialize)]
pub(crate) struct Key {
    ed25519_pubkey: String,
    x25519_pubkey: String,
    published_at: u64,
    version: Option<u32>,
    binding: Option<String>,
}

impl TryFrom<Key> for KeyRecord {
    type Error = Malformed;

    fn try_from(key: Key) -> Result<Self, Malformed> {
        Ok(Self {
            user: user("ed25519_pubkey", &key.ed25519_pubkey)?,
            key: key.x25519_pubkey.parse::<AgreementKey>().map_err(|_| Malformed("x25519_pubkey"))?,
            version: key.version.filter(|version| *version > 0),
            published_at: key.published_at,
            binding: key.binding.unwrap_or_default(),
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
        let a = user("participant_a_pubkey", &json.participant_a_pubkey)?;
        let b = user("participant_b_pubkey", &json.participant_b_pubkey)?;
        Ok(Self {
            id: ConversationId::new(uuid("id", &json.id)?),
            participants: [
                Participant { user: a, name: json.participant_a_display_name.unwrap_or_default() },
                Participant { user: b, name: json.participant_b_display_name.unwrap_or_default() },
            ],
            created_at: json.created_at,
            last_message_at: json.last_message_at.filter(|at| *at > 0),
        })
    }
}

/// The list of conversations is an array, or, if asked for with a limit, an object.
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
        let client_id = json.client_message_id.filter(|text| !text.is_empty());
        Ok(Self {
            id: MessageId::new(uuid("id", &json.id)?),
            conversation: ConversationId::new(uuid("conversation_id", &json.conversation_id)?),
            sequence: json.server_sequence,
            sender: user("sender_pubkey", &json.sender_pubkey)?,
            sender_name: json.sender_display_name.unwrap_or_default(),
            sent_at: json.timestamp,
            received_at: json.received_at,
            client_id: client_id
                .map(|text| uuid("client_message_id", &text).map(ClientMessageId::new))
                .transpose()?,
            suite: json.suite.unwrap_or(0),
            nonce: fixed("nonce", &bytes("nonce", &json.nonce)?)?,
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
    pub(crate) gap: Option<Gap>,
}

#[derive(Deserialize)]
pub(crate) struct Gap {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

#[derive(Deserialize)]
pub(crate) struct AckAnswer {
    #[serde(default)]
    pub(crate) acknowledged: u64,
    #[serde(default)]
    pub(crate) unknown: u64,
    #[serde(default)]
    pub(crate) remaining: u64,
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

impl TryFrom<DeviceJson> for RegisteredDevice {
    type Error = Malformed;

    fn try_from(json: DeviceJson) -> Result<Self, Malformed> {
        let device = json.device.parse().map_err(|_| Malformed("device"))?;
        Ok(Self { device, registered_at: json.registered_at, cursor: json.cursor })
    }
}

#[derive(Deserialize)]
pub(crate) struct TicketAnswer {
    pub(crate) ticket: String,
    #[serde(default)]
    pub(crate) expires_at: Option<u64>,
}

#[derive(Deserialize)]
pub(crate) struct ProblemJson {
    #[serde(rename = "type")]
    kind: Option<String>,
    title: Option<String>,
    detail: Option<String>,
    field: Option<String>,
    retry_after_ms: Option<u64>,
    /// Present, if only as `null`, when the key that was named is not the current one.
    #[serde(default, deserialize_with = "present")]
    pub(crate) current_key: Option<Option<Key>>,
}

impl ProblemJson {
    pub(crate) fn into_problem(self, status: u16) -> Problem {
        let mut problem = Problem::of_status(status);
        if let Some(kind) = self.kind {
            problem.kind = kind;
        }
        problem.title = self.title.unwrap_or_default();
        problem.detail = self.detail.unwrap_or_default();
        problem.field = self.field.filter(|field| !field.is_empty());
        problem.retry_after = self.retry_after_ms.map(Duration::from_millis);
        problem
    }

    /// Whether this refuses a send for being encrypted to another key than the current one.
    pub(crate) fn is_stale_key(&self) -> bool {
        self.current_key.is_some() || self.kind.as_deref().is_some_and(|kind| kind.ends_with("stale-key"))
    }
}

fn present<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Option<Option<Key>>, D::Error> {
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

    /// Servers that have no value for a field say zero, nothing or leave it out.
    #[test]
    fn what_a_server_does_not_know_is_none() {
        let user = Identity::from_seed(&[1; 32]).public_key();
        for (said, version) in [(json!(0), None), (json!(null), None), (json!(1), Some(1))] {
            let key = json!({
                "ed25519_pubkey": user.to_string(), "x25519_pubkey": user.agreement_key().to_string(),
                "published_at": 5, "version": said,
            });
            assert_eq!(parsed::<Key, KeyRecord>(key).version, version);
        }
        let id = uuid::Uuid::from_bytes([7; 16]).to_string();
        for (said, at) in [(json!(0), None), (json!(null), None), (json!(1), Some(1))] {
            let conversation = json!({
                "id": &id, "participant_a_pubkey": user.to_string(), "participant_b_pubkey": user.to_string(),
                "created_at": 5, "last_message_at": said,
            });
            assert_eq!(parsed::<ConversationJson, Conversation>(conversation).last_message_at, at);
        }
        for (said, known) in [(json!(""), false), (json!(null), false), (json!(&id), true)] {
            let message = json!({
                "id": &id, "conversation_id": &id, "sender_pubkey": user.to_string(), "timestamp": 1,
                "encrypted_payload": "AA==", "nonce": BASE64.encode(&[0; 24]), "server_sequence": 1,
                "client_message_id": said,
            });
            let message = parsed::<MessageJson, Message>(message);
            assert_eq!((message.client_id.is_some(), message.suite, message.received_at), (known, 0, None));
        }
    }
}
