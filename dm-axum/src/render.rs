//! Converts the core's values to values on the wire: to protobuf messages, and a key record also to
//! JSON. These conversions never fail. All other JSON is defined in the files of `rest`.

use axum::body::Bytes;
use dm_core::{
    Conversation, ConversationState, Delivery, Event, InboxEntry, KeyRecord, Message, Notice, Suite,
    Timestamp, UserId,
};
use dm_proto::{
    DmConversation, DmConversationCreatedEvent, DmKeyRotatedEvent, DmMessageEvent, DmPublicKey,
    EncryptedDmMessage,
};
use serde::Serialize;

use crate::names::Names;

/// A published key in JSON.
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

/// Returns the protobuf message of a key record.
pub(crate) fn key(record: &KeyRecord) -> DmPublicKey {
    DmPublicKey {
        ed25519_pubkey: record.user.to_string(),
        x25519_pubkey: Bytes::copy_from_slice(record.key.as_bytes()),
        published_at: record.published_at.as_millis(),
        version: record.version.get(),
        binding: record.binding.as_str().to_owned(),
    }
}

/// Returns the protobuf message of a stored message.
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
        sender_display_name: names.display_name(message.sender).to_owned(),
        client_message_id: message.client_id.map(|id| id.to_string()).unwrap_or_default(),
        received_at: message.received_at.as_millis(),
        suite: ciphertext.suite().map_or(0, |Suite(tag)| tag),
    }
}

/// Returns the protobuf message of a conversation.
pub(crate) fn conversation(state: &ConversationState, names: &Names) -> DmConversation {
    let mut conversation = new_conversation(&state.conversation, names);
    conversation.last_message_at = state.last_activity.map_or(0, Timestamp::as_millis);
    conversation
}

/// Returns the protobuf message of a conversation that has no message yet.
fn new_conversation(conversation: &Conversation, names: &Names) -> DmConversation {
    let (a, b) = (conversation.participants.a(), conversation.participants.b());
    DmConversation {
        id: conversation.id.to_string(),
        participant_a_pubkey: a.to_string(),
        participant_b_pubkey: b.to_string(),
        participant_a_display_name: names.display_name(a).to_owned(),
        participant_b_display_name: names.display_name(b).to_owned(),
        created_at: conversation.opened_at.as_millis(),
        last_message_at: 0,
        // The server cannot read messages.
        last_message_preview: String::new(),
    }
}

/// Returns the two participants of a conversation.
pub(crate) fn participants(state: &ConversationState) -> [UserId; 2] {
    let participants = state.conversation.participants;
    [participants.a(), participants.b()]
}

/// Returns the users whose display names are in the frame of a delivery.
pub(crate) fn named_users(delivery: &Delivery) -> impl Iterator<Item = UserId> {
    let users = match delivery {
        Delivery::Entry(InboxEntry { event: Event::Message(message), .. }) => [Some(message.sender), None],
        Delivery::Entry(InboxEntry { event: Event::Notice(Notice::ConversationOpened(opened)), .. }) => {
            [Some(opened.participants.a()), Some(opened.participants.b())]
        }
        Delivery::Entry(_) | Delivery::Gap(_) | Delivery::CaughtUp { .. } => [None, None],
    };
    users.into_iter().flatten()
}

/// Constructors of `T` for each kind of event. A dialect of the WebSocket protocol wraps an event
/// in its own type `T`: before a hello in the payload of an envelope, after a hello in a delivery.
pub(crate) struct EventVariants<T> {
    pub(crate) message: fn(DmMessageEvent) -> T,
    pub(crate) conversation_created: fn(DmConversationCreatedEvent) -> T,
    pub(crate) key_rotated: fn(DmKeyRotatedEvent) -> T,
}

/// Returns the event of an entry, or `None` for a notice that has no protobuf message in this
/// version.
pub(crate) fn event<T>(entry: &InboxEntry, names: &Names, variants: &EventVariants<T>) -> Option<T> {
    Some(match &entry.event {
        Event::Message(sent) => (variants.message)(DmMessageEvent { message: Some(message(sent, names)) }),
        Event::Notice(Notice::ConversationOpened(conversation)) => {
            let conversation = Some(new_conversation(conversation, names));
            (variants.conversation_created)(DmConversationCreatedEvent { conversation })
        }
        Event::Notice(Notice::PeerKeyChanged(record)) => (variants.key_rotated)(DmKeyRotatedEvent {
            user_pubkey: record.user.to_string(),
            new_x25519_pubkey: Bytes::copy_from_slice(record.key.as_bytes()),
            timestamp: record.published_at.as_millis(),
            version: record.version.get(),
        }),
        Event::Notice(_) => return None,
    })
}
