//! The users of the tests, and their messages.

use std::sync::Arc;

use dm_client::{
    ClientMessageId, Context, ConversationId, Entropy, EntropyError, Header, Identity, KeyVersion,
    KeyVersions, Message, MessageId, ServerSequence, Suite, suite,
};
use dm_proto::EncryptedDmMessage;
use uuid::Uuid;

pub(crate) fn ana() -> Arc<Identity> {
    Arc::new(Identity::from_seed(&[1; 32]))
}

pub(crate) fn ben() -> Arc<Identity> {
    Arc::new(Identity::from_seed(&[2; 32]))
}

pub(crate) fn conversation() -> ConversationId {
    ConversationId::from(Uuid::from_u128(0xc0))
}

/// A source of bytes that are the same in every run and different in every call.
#[derive(Debug, Default)]
pub(crate) struct Counting(u64);

impl Entropy for Counting {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in out.chunks_mut(8) {
            self.0 += 1;
            chunk.copy_from_slice(&self.0.to_be_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// The protobuf message of a message from `sender` to `recipient`. Its ids and times are derived
/// from its number.
pub(crate) fn frame(
    sender: &Identity,
    recipient: &Identity,
    suite: Suite,
    sequence: u64,
    text: &str,
) -> EncryptedDmMessage {
    let context = Context::new(conversation(), sender.user_id(), recipient.user_id()).unwrap();
    let message_id = ClientMessageId::from(Uuid::from_u128(0xab00 + u128::from(sequence)));
    let first = Some(KeyVersion::FIRST);
    let header = Header { versions: KeyVersions { sender: first, recipient: first }, message_id };
    let key = recipient.user_id().agreement_key();
    let mut entropy = Counting(sequence * 100);
    let sealed = suite::seal(suite, sender, &key, &context, &header, text.as_bytes(), &mut entropy).unwrap();
    EncryptedDmMessage {
        id: Uuid::from_u128(u128::from(sequence)).to_string(),
        conversation_id: conversation().to_string(),
        sender_pubkey: sender.user_id().to_string(),
        encrypted_payload: sealed.payload.into(),
        nonce: sealed.nonce.to_vec().into(),
        timestamp: 1_000 + sequence,
        server_sequence: sequence,
        sender_display_name: "Ana".to_owned(),
        client_message_id: if suite == Suite::One { message_id.to_string() } else { String::new() },
        received_at: 2_000 + sequence,
        suite: suite.tag(),
        ..EncryptedDmMessage::default()
    }
}

pub(crate) fn message_id(sequence: u64) -> MessageId {
    MessageId::from(Uuid::from_u128(u128::from(sequence)))
}

/// A message under another id and number, as a dishonest server could present it.
pub(crate) fn moved(mut message: Message, sequence: u64) -> Message {
    message.id = message_id(sequence);
    message.sequence = ServerSequence::new(sequence);
    message
}
