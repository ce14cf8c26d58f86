//! Converts the protobuf messages of the WebSocket to values of this crate.

use dm_proto::{DmConversation, DmKeyRotatedEvent, EncryptedDmMessage};

use super::fields::{Malformed, byte_array, optional_text, optional_time, optional_version, parse};
use crate::conversation::{Conversation, Participant};
use crate::keys::X25519Key;
use crate::message::Message;
use crate::numbers::ServerSequence;
use crate::record::KeyRecord;
use crate::time::Timestamp;

pub(crate) fn message(frame: EncryptedDmMessage) -> Result<Message, Malformed> {
    let client_id = optional_text(Some(frame.client_message_id));
    Ok(Message {
        id: parse("id", &frame.id)?,
        conversation: parse("conversation_id", &frame.conversation_id)?,
        sequence: ServerSequence::new(frame.server_sequence),
        sender: parse("sender_pubkey", &frame.sender_pubkey)?,
        sender_name: frame.sender_display_name,
        sent_at: Timestamp::from_millis(frame.timestamp),
        received_at: optional_time(frame.received_at),
        client_id: client_id.map(|text| parse("client_message_id", &text)).transpose()?,
        suite: frame.suite,
        nonce: byte_array("nonce", &frame.nonce)?,
        payload: frame.encrypted_payload.to_vec(),
    })
}

pub(crate) fn conversation(frame: DmConversation) -> Result<Conversation, Malformed> {
    let a = parse("participant_a_pubkey", &frame.participant_a_pubkey)?;
    let b = parse("participant_b_pubkey", &frame.participant_b_pubkey)?;
    Ok(Conversation {
        id: parse("id", &frame.id)?,
        participants: [
            Participant { user: a, name: frame.participant_a_display_name },
            Participant { user: b, name: frame.participant_b_display_name },
        ],
        opened_at: Timestamp::from_millis(frame.created_at),
        last_activity: optional_time(frame.last_message_at),
    })
}

pub(crate) fn key_record(frame: &DmKeyRotatedEvent) -> Result<KeyRecord, Malformed> {
    let bytes = byte_array("new_x25519_pubkey", &frame.new_x25519_pubkey)?;
    Ok(KeyRecord {
        user: parse("user_pubkey", &frame.user_pubkey)?,
        key: X25519Key::from_bytes(&bytes).map_err(|_| Malformed("new_x25519_pubkey"))?,
        version: optional_version(Some(frame.version)),
        published_at: Timestamp::from_millis(frame.timestamp),
        binding: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    /// In a frame, a field without a value is zero.
    #[test]
    fn a_zero_field_is_none() {
        let user = Identity::from_seed(&[1; 32]).user_id();
        let id = uuid::Uuid::from_bytes([7; 16]).to_string();
        for (number, known) in [(0, None), (1, Some(1)), (2, Some(2))] {
            let at = known.map(Timestamp::from_millis);
            let frame = EncryptedDmMessage {
                id: id.clone(),
                conversation_id: id.clone(),
                sender_pubkey: user.to_string(),
                nonce: vec![0; 24].into(),
                received_at: number,
                ..EncryptedDmMessage::default()
            };
            assert_eq!(message(frame).unwrap().received_at, at);
            let frame = DmConversation {
                id: id.clone(),
                participant_a_pubkey: user.to_string(),
                participant_b_pubkey: user.to_string(),
                last_message_at: number,
                ..DmConversation::default()
            };
            assert_eq!(conversation(frame).unwrap().last_activity, at);
            let frame = DmKeyRotatedEvent {
                user_pubkey: user.to_string(),
                new_x25519_pubkey: user.agreement_key().as_bytes().to_vec().into(),
                version: u32::try_from(number).unwrap(),
                ..DmKeyRotatedEvent::default()
            };
            let version = key_record(&frame).unwrap().version;
            assert_eq!(version.map(|version| u64::from(version.get())), known);
        }
    }
}
