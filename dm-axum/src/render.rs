//! From the core's values to the wire's, which never fails: the protobuf side, and a key in JSON. The rest of the JSON
//! stands with each REST call.

use axum::body::Bytes;
use dm_core::{
    Conversation, ConversationState, Event, InboxEntry, KeyRecord, Message, Notice, Suite, Timestamp, UserId,
};
use dm_proto::{
    DmConversation, DmConversationCreatedEvent, DmKeyRotatedEvent, DmMessageEvent, DmPublicKey,
    EncryptedDmMessage, dm_delivery, envelope::Payload,
};
use serde::Serialize;

use crate::names::Names;

/// A published key.
#[derive(Debug, Serialize)]
pub(crate) struct KeyJson {
    ed25519_pubkey: String,
    x25519_pubkey: String,
    published_at: u64,
    version: u32,
    binding: &'static str,
}

impl From<&KeyRecord> for KeyJson {
    fn from(record: &KeyRecord) -> Self {
        Self {
            ed25519_pubkey: record.user.to_string(),
            x25519_pubkey: record.key.to_string(),
            published_at: record.published_at.as_millis(),
            version: record.version.get(),
            binding: record.binding.as_str(),
        }
    }
}

pub(crate) fn key(record: &KeyRecord) -> DmPublicKey {
    DmPublicKey {
        ed25519_pubkey: record.user.to_string(),
        x25519_pubkey: Bytes::copy_from_slice(record.key.as_bytes()),
        published_at: record.published_at.as_millis(),
        version: record.version.get(),
        binding: record.binding.as_str().to_owned(),
    }
}

pub(crate) fn message(message: &Message, names: &Names) -> EncryptedDmMessage {
    let ciphertext = &message.ciphertext;
    EncryptedDmMessage {
        id: message.id.to_string(),
        conversation_id: message.conversation.to_string(),
        sender_pubkey: message.sender.to_string(),
        encrypted_payload: ciphertext.payload().clone(),
        nonce: Bytes::copy_from_slice(ciphertext.nonce()),
        ephemeral_pubkey: ciphertext.ephemeral().map_or_else(Bytes::new, |key| Bytes::copy_from_slice(key)),
        timestamp: message.sent_at.as_millis(),
        server_sequence: message.sequence.get(),
        sender_display_name: names.of(message.sender).to_owned(),
        client_message_id: message.client_id.map(|id| id.to_string()).unwrap_or_default(),
        received_at: message.received_at.as_millis(),
        suite: ciphertext.suite().map_or(0, |Suite(tag)| tag),
    }
}

pub(crate) fn conversation(state: &ConversationState, names: &Names) -> DmConversation {
    let mut conversation = opened(&state.conversation, names);
    conversation.last_message_at = state.last_activity.map_or(0, Timestamp::as_millis);
    conversation
}

/// A conversation without a message yet.
fn opened(conversation: &Conversation, names: &Names) -> DmConversation {
    let (a, b) = (conversation.participants.a(), conversation.participants.b());
    DmConversation {
        id: conversation.id.to_string(),
        participant_a_pubkey: a.to_string(),
        participant_b_pubkey: b.to_string(),
        participant_a_display_name: names.of(a).to_owned(),
        participant_b_display_name: names.of(b).to_owned(),
        created_at: conversation.opened_at.as_millis(),
        last_message_at: 0,
        last_message_preview: String::new(),
    }
}

/// The two users of a conversation.
pub(crate) fn participants(state: &ConversationState) -> [UserId; 2] {
    let participants = state.conversation.participants;
    [participants.a(), participants.b()]
}

/// The users that an entry's event names.
pub(crate) fn named(entry: &InboxEntry) -> impl Iterator<Item = UserId> {
    let users = match &entry.event {
        Event::Message(message) => [Some(message.sender), None],
        Event::Notice(Notice::ConversationOpened(conversation)) => {
            [Some(conversation.participants.a()), Some(conversation.participants.b())]
        }
        Event::Notice(_) => [None, None],
    };
    users.into_iter().flatten()
}

/// An entry's event with a position around it; `None` for a notice that this version has no frame for.
pub(crate) fn delivered(entry: &InboxEntry, names: &Names) -> Option<dm_delivery::Event> {
    Some(match event(entry, names)? {
        Payload::DmMessageEvent(event) => dm_delivery::Event::Message(event),
        Payload::DmConversationCreatedEvent(event) => dm_delivery::Event::ConversationCreated(event),
        Payload::DmKeyRotatedEvent(event) => dm_delivery::Event::KeyRotated(event),
        _ => return None,
    })
}

/// An entry's event on its own; `None` for a notice that this version has no frame for.
pub(crate) fn event(entry: &InboxEntry, names: &Names) -> Option<Payload> {
    Some(match &entry.event {
        Event::Message(m) => Payload::DmMessageEvent(DmMessageEvent { message: Some(message(m, names)) }),
        Event::Notice(Notice::ConversationOpened(conversation)) => {
            Payload::DmConversationCreatedEvent(DmConversationCreatedEvent {
                conversation: Some(opened(conversation, names)),
            })
        }
        Event::Notice(Notice::PeerKeyChanged(record)) => Payload::DmKeyRotatedEvent(DmKeyRotatedEvent {
            user_pubkey: record.user.to_string(),
            new_x25519_pubkey: Bytes::copy_from_slice(record.key.as_bytes()),
            timestamp: record.published_at.as_millis(),
            version: record.version.get(),
        }),
        Event::Notice(_) => return None,
    })
}
