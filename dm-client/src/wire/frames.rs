//! The protobuf of the WebSocket.

use dm_proto::{DmConversation, DmKeyRotatedEvent, EncryptedDmMessage};

use super::{Malformed, fixed, user, uuid};
use crate::{
    ids::{ClientMessageId, ConversationId, MessageId},
    keys::AgreementKey,
    message::{Conversation, Message, Participant},
    record::KeyRecord,
};

pub(crate) fn message(frame: EncryptedDmMessage) -> Result<Message, Malformed> {
    let client_id = Some(frame.client_message_id).filter(|text| !text.is_empty());
    Ok(Message {
        id: MessageId::new(uuid("id", &frame.id)?),
        conversation: ConversationId::new(uuid("conversation_id", &frame.conversation_id)?),
        sequence: frame.server_sequence,
        sender: user("sender_pubkey", &frame.sender_pubkey)?,
        sender_name: frame.sender_display_name,
        sent_at: frame.timestamp,
        received_at: Some(frame.received_at).filter(|at| *at > 0),
        client_id: client_id
            .map(|text| uuid("client_message_id", &text).map(ClientMessageId::new))
            .transpose()?,
        suite: frame.suite,
        nonce: fixed("nonce", &frame.nonce)?,
        payload: frame.encrypted_payload.to_vec(),
    })
}

pub(crate) fn conversation(frame: DmConversation) -> Result<Conversation, Malformed> {
    let a = user("participant_a_pubkey", &frame.participant_a_pubkey)?;
    let b = user("participant_b_pubkey", &frame.participant_b_pubkey)?;
    Ok(Conversation {
        id: ConversationId::new(uuid("id", &frame.id)?),
        participants: [
            Participant { user: a, name: frame.participant_a_display_name },
            Participant { user: b, name: frame.participant_b_display_name },
        ],
        created_at: frame.created_at,
        last_message_at: Some(frame.last_message_at).filter(|at| *at > 0),
    })
}

pub(crate) fn key_record(frame: &DmKeyRotatedEvent) -> Result<KeyRecord, Malformed> {
    let bytes = fixed("new_x25519_pubkey", &frame.new_x25519_pubkey)?;
    Ok(KeyRecord {
        user: user("user_pubkey", &frame.user_pubkey)?,
        key: AgreementKey::from_bytes(&bytes).map_err(|_| Malformed("new_x25519_pubkey"))?,
        version: Some(frame.version).filter(|version| *version > 0),
        published_at: frame.timestamp,
        binding: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    /// Zero is how a frame says that there is no value.
    #[test]
    fn a_zero_is_none() {
        let user = Identity::from_seed(&[1; 32]).public_key();
        let id = uuid::Uuid::from_bytes([7; 16]).to_string();
        for (said, known) in [(0, None), (1, Some(1)), (2, Some(2))] {
            let frame = EncryptedDmMessage {
                id: id.clone(),
                conversation_id: id.clone(),
                sender_pubkey: user.to_string(),
                nonce: vec![0; 24].into(),
                received_at: said,
                ..EncryptedDmMessage::default()
            };
            assert_eq!(message(frame).unwrap().received_at, known);
            let frame = DmConversation {
                id: id.clone(),
                participant_a_pubkey: user.to_string(),
                participant_b_pubkey: user.to_string(),
                last_message_at: said,
                ..DmConversation::default()
            };
            assert_eq!(conversation(frame).unwrap().last_message_at, known);
            let frame = DmKeyRotatedEvent {
                user_pubkey: user.to_string(),
                new_x25519_pubkey: user.agreement_key().as_bytes().to_vec().into(),
                version: u32::try_from(said).unwrap(),
                ..DmKeyRotatedEvent::default()
            };
            assert_eq!(key_record(&frame).unwrap().version.map(u64::from), known);
        }
    }
}
