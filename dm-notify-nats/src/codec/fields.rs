//! [`Fields`]: decodes the fields of frames.

use bytes::Bytes;
use dm_core::notify::NodeId;
use dm_core::{
    Ciphertext, ClientMessageId, ConversationId, DeviceId, InboxSeq, Message, MessageId, Registration,
    SenderSequence, ServerSequence, Suite, Timestamp, UserId,
};

use super::stamp::{Nonce, Stamp, Undecodable};

/// The length byte of a field for a device if the field has none.
pub(super) const NO_DEVICE: u8 = u8::MAX;

/// The flags of the optional fields of a message: client id, suite, ephemeral key.
pub(super) const CLIENT_ID: u8 = 1;
pub(super) const SUITE: u8 = 2;
pub(super) const EPHEMERAL: u8 = 4;

/// The remaining bytes of a frame. Each method decodes the next field.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next `N` bytes.
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], Undecodable> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Undecodable)?;
        self.0 = rest;
        Ok(*field)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Undecodable> {
        self.take().map(u64::from_be_bytes)
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, Undecodable> {
        self.u64().map(Timestamp::from_millis)
    }

    /// The number of an inbox entry, and the device that caused the entry, if any.
    pub(super) fn seq_and_origin(&mut self) -> Result<(InboxSeq, Option<DeviceId>), Undecodable> {
        let seq = self.u64().map(InboxSeq::new)?;
        Ok((seq, self.device()?))
    }

    /// The registration that an entry is for; `None` if the entry is for all devices.
    pub(super) fn addressee(&mut self) -> Result<Option<Registration>, Undecodable> {
        Ok(Some(self.u64().map(Registration::new)?).filter(|number| *number != Registration::ZERO))
    }

    /// A device; `None` if the field stands for no device.
    pub(super) fn device(&mut self) -> Result<Option<DeviceId>, Undecodable> {
        Ok(match self.take()? {
            [NO_DEVICE] => None,
            [0] => Some(DeviceId::default()),
            [len] => {
                let (name, rest) = self.0.split_at_checked(usize::from(len)).ok_or(Undecodable)?;
                self.0 = rest;
                let name = std::str::from_utf8(name).map_err(|_| Undecodable)?;
                Some(name.parse().map_err(|_| Undecodable)?)
            }
        })
    }

    pub(super) fn node(&mut self) -> Result<NodeId, Undecodable> {
        self.take().map(NodeId::from_bytes)
    }

    pub(super) fn stamp(&mut self) -> Result<Stamp, Undecodable> {
        Ok(Stamp { at: self.time()?, number: self.u64()? })
    }

    pub(super) fn nonce(&mut self) -> Result<Nonce, Undecodable> {
        self.take().map(Nonce)
    }

    /// A message, which takes all remaining bytes of the frame. `bytes` is the whole frame. The
    /// payload of the message shares the memory of the frame.
    pub(super) fn message(&mut self, bytes: &Bytes) -> Result<Message, Undecodable> {
        let id = MessageId::from_bytes(self.take()?);
        let conversation = ConversationId::from_bytes(self.take()?);
        let sequence = ServerSequence::new(self.u64()?);
        let sender = UserId::from_bytes(self.take()?).map_err(|_| Undecodable)?;
        let sender_sequence = SenderSequence::new(self.u64()?);
        let (sent_at, received_at) = (self.time()?, self.time()?);
        let [flags] = self.take()?;
        if flags > CLIENT_ID | SUITE | EPHEMERAL {
            return Err(Undecodable);
        }
        let client_id =
            if flags & CLIENT_ID == 0 { None } else { Some(ClientMessageId::from_bytes(self.take()?)) };
        let suite = if flags & SUITE == 0 { None } else { Some(Suite(u32::from_be_bytes(self.take()?))) };
        let ephemeral =
            if flags & EPHEMERAL == 0 { None } else { Some(self.take::<{ Ciphertext::EPHEMERAL_LEN }>()?) };
        let nonce: [u8; Ciphertext::NONCE_LEN] = self.take()?;
        let payload = bytes.slice_ref(self.take_remaining());
        let ciphertext = Ciphertext::new(payload, &nonce, ephemeral.as_ref().map(|key| &key[..]), suite)
            .map_err(|_| Undecodable)?;
        Ok(Message {
            id,
            conversation,
            sequence,
            sender,
            sender_sequence,
            client_id,
            sent_at,
            received_at,
            ciphertext,
        })
    }

    /// The remaining bytes.
    pub(super) fn take_remaining(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Fails if bytes remain.
    pub(super) const fn end(&self) -> Result<(), Undecodable> {
        if self.0.is_empty() { Ok(()) } else { Err(Undecodable) }
    }
}
