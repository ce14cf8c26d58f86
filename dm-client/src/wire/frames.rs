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
