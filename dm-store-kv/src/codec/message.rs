//! The rows of `messages`.

use bytes::Bytes;
use dm_core::store::{
    Ciphertext, ClientMessageId, ConversationId, InboxSeq, Message, MessageId, SenderSequence,
    ServerSequence, Suite, UserId,
};

use crate::codec::fields::{Fields, push_leb128};
use crate::failure::Failure;

/// The first fields of a row of `messages`: the refs of the conversation and its users, the
/// message's number in the conversation, and its numbers in the two inboxes.
#[derive(Clone, Copy)]
pub(crate) struct MessageHeader {
    pub(crate) conversation: u32,
    pub(crate) sender: u32,
    pub(crate) recipient: u32,
    pub(crate) sequence: ServerSequence,
    pub(crate) sender_seq: InboxSeq,
    pub(crate) recipient_seq: InboxSeq,
}

// The flags of the optional fields that are present.
const CLIENT_ID: u8 = 1;
const SUITE: u8 = 2;
const EPHEMERAL: u8 = 4;
const SENDER_SEQUENCE: u8 = 8;

impl MessageHeader {
    /// Encodes the whole row of a message.
    pub(crate) fn encode(self, message: &Message) -> Vec<u8> {
        let ciphertext = &message.ciphertext;
        let mut value = Vec::with_capacity(160 + ciphertext.payload().len());
        value.extend(self.conversation.to_be_bytes());
        value.extend(self.sender.to_be_bytes());
        value.extend(self.recipient.to_be_bytes());
        value.extend(self.sequence.get().to_be_bytes());
        value.extend(self.sender_seq.get().to_be_bytes());
        value.extend(self.recipient_seq.get().to_be_bytes());
        value.extend(message.id.as_bytes());
        value.extend(message.sent_at.as_millis().to_be_bytes());
        value.extend(message.received_at.as_millis().to_be_bytes());
        let flag = |is_present: bool, bit: u8| if is_present { bit } else { 0 };
        value.push(
            flag(message.client_id.is_some(), CLIENT_ID)
                | flag(ciphertext.suite().is_some(), SUITE)
                | flag(ciphertext.ephemeral().is_some(), EPHEMERAL)
                | flag(message.sender_sequence != SenderSequence::ZERO, SENDER_SEQUENCE),
        );
        if message.sender_sequence != SenderSequence::ZERO {
            push_leb128(&mut value, message.sender_sequence.get());
        }
        if let Some(id) = message.client_id {
            value.extend(id.as_bytes());
        }
        if let Some(suite) = ciphertext.suite() {
            value.extend(suite.0.to_be_bytes());
        }
        value.extend(ciphertext.nonce());
        if let Some(key) = ciphertext.ephemeral() {
            value.extend(key);
        }
        value.extend_from_slice(ciphertext.payload());
        value
    }

    /// Decodes the header. Afterwards `value` has the remaining bytes of the row, for
    /// [`message`](Self::message).
    pub(crate) fn decode(value: &mut Fields<'_>) -> Result<Self, Failure> {
        Ok(Self {
            conversation: value.u32()?,
            sender: value.u32()?,
            recipient: value.u32()?,
            sequence: value.u64().map(ServerSequence::new)?,
            sender_seq: value.seq()?,
            recipient_seq: value.seq()?,
        })
    }

    /// Decodes the id of the message from `value`, which has the bytes of its row after the header.
    pub(crate) fn message_id(value: &mut Fields<'_>) -> Result<MessageId, Failure> {
        value.bytes().map(MessageId::from_bytes)
    }

    /// Decodes the message from `value`, which has the bytes of its row after the header.
    /// `conversation` and `sender` are the id and the user that the refs in the header stand for.
    pub(crate) fn message(
        self,
        conversation: ConversationId,
        sender: UserId,
        mut value: Fields<'_>,
    ) -> Result<Message, Failure> {
        let id = Self::message_id(&mut value)?;
        let sent_at = value.time()?;
        let received_at = value.time()?;
        let flags = value.u8()?;
        if flags > CLIENT_ID | SUITE | EPHEMERAL | SENDER_SEQUENCE {
            return Err(Failure::Damaged("a message has unknown flags"));
        }
        let sender_sequence = if flags & SENDER_SEQUENCE == 0 {
            SenderSequence::ZERO
        } else {
            SenderSequence::new(value.leb128()?)
        };
        let client_id =
            if flags & CLIENT_ID == 0 { None } else { Some(ClientMessageId::from_bytes(value.bytes()?)) };
        let suite = if flags & SUITE == 0 { None } else { Some(Suite(value.u32()?)) };
        let nonce: [u8; Ciphertext::NONCE_LEN] = value.bytes()?;
        let ephemeral =
            if flags & EPHEMERAL == 0 { None } else { Some(value.slice(Ciphertext::EPHEMERAL_LEN)?) };
        let payload = Bytes::copy_from_slice(value.remaining());
        Ok(Message {
            id,
            conversation,
            sequence: self.sequence,
            sender,
            sender_sequence,
            client_id,
            sent_at,
            received_at,
            ciphertext: Ciphertext::new(payload, &nonce, ephemeral, suite)
                .map_err(|_| Failure::Damaged("a message has a ciphertext that is not allowed"))?,
        })
    }
}
