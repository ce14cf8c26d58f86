//! The messages whose encoded bytes are in `tests/golden/`. *Additions* are fields that the first
//! version of the protocol does not have.

use dm_proto::prost::bytes::Bytes;
use dm_proto::{DmConversation, DmKeyRotatedEvent, DmPublicKey, EncryptedDmMessage};

pub(crate) const ANA: &str = "29acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd7";
pub(crate) const ZOE: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
pub(crate) const CONVERSATION: &str = "01947e5a-3c00-7000-8000-0000000000c1";
pub(crate) const MESSAGE: &str = "01947e5a-3c01-7000-8000-0000000000a1";
pub(crate) const CLIENT_MESSAGE: &str = "01947e5a-3bff-7000-8000-0000000000b1";
pub(crate) const NOW: u64 = 1_737_000_000_000;

pub(crate) fn payload() -> Bytes {
    (0xa0..0xb4).collect()
}

pub(crate) fn nonce() -> Bytes {
    (0..24).collect()
}

pub(crate) fn ephemeral_key() -> Bytes {
    Bytes::from_static(&[0x42; 32])
}

pub(crate) fn key() -> Bytes {
    (0x60..0x80).collect()
}

pub(crate) fn conversation() -> DmConversation {
    DmConversation { last_message_at: NOW + 250, ..new_conversation() }
}

pub(crate) fn new_conversation() -> DmConversation {
    DmConversation {
        id: CONVERSATION.into(),
        participant_a_pubkey: ANA.into(),
        participant_b_pubkey: ZOE.into(),
        participant_a_display_name: "Ana".into(),
        participant_b_display_name: "Zoë".into(),
        created_at: NOW,
        last_message_at: 0,
        last_message_preview: String::new(),
    }
}

pub(crate) fn message() -> EncryptedDmMessage {
    EncryptedDmMessage { ephemeral_pubkey: ephemeral_key(), ..message_without_ephemeral_key() }
}

pub(crate) fn message_without_ephemeral_key() -> EncryptedDmMessage {
    EncryptedDmMessage {
        id: MESSAGE.into(),
        conversation_id: CONVERSATION.into(),
        sender_pubkey: ANA.into(),
        encrypted_payload: payload(),
        nonce: nonce(),
        timestamp: NOW,
        server_sequence: 300,
        sender_display_name: "Ana".into(),
        ..EncryptedDmMessage::default()
    }
}

pub(crate) fn message_with_additions() -> EncryptedDmMessage {
    EncryptedDmMessage {
        client_message_id: CLIENT_MESSAGE.into(),
        received_at: NOW + 7,
        suite: 1,
        ..message()
    }
}

pub(crate) fn public_key() -> DmPublicKey {
    DmPublicKey {
        ed25519_pubkey: ZOE.into(),
        x25519_pubkey: key(),
        published_at: NOW,
        ..DmPublicKey::default()
    }
}

pub(crate) fn public_key_with_additions() -> DmPublicKey {
    DmPublicKey { version: 2, binding: "derived".into(), ..public_key() }
}

pub(crate) fn key_rotated() -> DmKeyRotatedEvent {
    DmKeyRotatedEvent { user_pubkey: ZOE.into(), new_x25519_pubkey: key(), timestamp: NOW, version: 0 }
}

pub(crate) fn key_rotated_with_additions() -> DmKeyRotatedEvent {
    DmKeyRotatedEvent { version: 2, ..key_rotated() }
}
