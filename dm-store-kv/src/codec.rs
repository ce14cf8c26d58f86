//! Values of the core as bytes, and back. The bytes of each table are described in [`tables`](crate::tables).

use bytes::Bytes;
use dm_core::{
    Ciphertext, ClientMessageId, ConversationId, DeviceId, InboxSeq, KeyBinding, KeyRecord, KeyVersion,
    Message, MessageId, Notice, ServerSequence, Suite, Timestamp, UserId, X25519Key,
};

use crate::failure::Failure;

/// Reads fields off the front of a row. Bytes that the library did not write are a [`Failure::Damaged`].
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Reads one field that is all there is.
    pub(crate) fn last<T>(
        mut self,
        field: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let value = field(&mut self)?;
        self.end()?;
        Ok(value)
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Failure::Damaged("a row ends too early"))?;
        self.0 = rest;
        Ok(*field)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Failure> {
        self.bytes().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Failure> {
        self.bytes().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Failure> {
        self.bytes().map(u64::from_be_bytes)
    }

    pub(crate) fn seq(&mut self) -> Result<InboxSeq, Failure> {
        self.u64().map(InboxSeq::new)
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, Failure> {
        self.u64().map(Timestamp::from_millis)
    }

    pub(crate) fn user(&mut self) -> Result<UserId, Failure> {
        self.bytes().map(UserId::from_stored)
    }

    /// Everything that is left.
    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }

    fn end(self) -> Result<(), Failure> {
        if self.0.is_empty() { Ok(()) } else { Err(Failure::Damaged("a row is too long")) }
    }

    fn slice(&mut self, len: usize) -> Result<&'a [u8], Failure> {
        let (field, rest) = self.0.split_at_checked(len).ok_or(Failure::Damaged("a row ends too early"))?;
        self.0 = rest;
        Ok(field)
    }
}

/// A key of two refs.
pub(crate) fn refs(first: u32, second: u32) -> [u8; 8] {
    joined([first.to_be_bytes().as_slice(), &second.to_be_bytes()])
}

/// A key of a ref and a number in its log.
pub(crate) fn numbered(of: u32, number: u64) -> [u8; 12] {
    joined([of.to_be_bytes().as_slice(), &number.to_be_bytes()])
}

/// A key of an entry that a device acknowledged.
pub(crate) fn mark(user: u32, device: u32, seq: u64) -> [u8; 16] {
    joined([user.to_be_bytes().as_slice(), &device.to_be_bytes(), &seq.to_be_bytes()])
}

/// A key of an inbox by the time of its oldest entry.
pub(crate) fn timed(at: Timestamp, user: u32) -> [u8; 12] {
    joined([at.as_millis().to_be_bytes().as_slice(), &user.to_be_bytes()])
}

/// A key of a client's name for a message.
pub(crate) fn client(id: ClientMessageId, sender: u32) -> [u8; 20] {
    joined([id.as_bytes().as_slice(), &sender.to_be_bytes()])
}

/// A key record of a user by its version, and the value of its row.
pub(crate) fn key_value(record: &KeyRecord) -> Vec<u8> {
    let mut value = Vec::with_capacity(41);
    value.extend(record.key.as_bytes());
    value.extend(record.published_at.as_millis().to_be_bytes());
    value.push(record.binding.code());
    value
}

/// The reverse of [`key_value`].
pub(crate) fn key_record(user: UserId, version: u32, mut value: Fields<'_>) -> Result<KeyRecord, Failure> {
    Ok(KeyRecord {
        user,
        key: X25519Key::from_stored(value.bytes()?),
        version: KeyVersion::new(version).map_err(|_| Failure::Damaged("no key version"))?,
        published_at: value.time()?,
        binding: KeyBinding::from_code(value.last(Fields::u8)?).ok_or(Failure::Damaged("no key binding"))?,
    })
}

/// A publication whose peers are not all told.
#[derive(Clone, Copy)]
pub(crate) struct Announcement {
    pub(crate) user: u32,
    /// Conversations up to this one are done.
    pub(crate) after: u32,
    pub(crate) until: u32,
}

impl Announcement {
    pub(crate) fn encode(self) -> [u8; 12] {
        joined([self.user.to_be_bytes().as_slice(), &self.after.to_be_bytes(), &self.until.to_be_bytes()])
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        Ok(Self { user: value.u32()?, after: value.u32()?, until: value.last(Fields::u32)? })
    }
}

/// A conversation's row.
#[derive(Clone, Copy)]
pub(crate) struct ThreadRow {
    pub(crate) id: ConversationId,
    pub(crate) a: u32,
    pub(crate) b: u32,
    pub(crate) opened_at: Timestamp,
}

impl ThreadRow {
    pub(crate) fn encode(self) -> [u8; 32] {
        joined([
            self.id.as_bytes().as_slice(),
            &self.a.to_be_bytes(),
            &self.b.to_be_bytes(),
            &self.opened_at.as_millis().to_be_bytes(),
        ])
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        Ok(Self {
            id: ConversationId::from_bytes(value.bytes()?),
            a: value.u32()?,
            b: value.u32()?,
            opened_at: value.last(Fields::time)?,
        })
    }
}

/// A place in the sequence of a conversation: which message, and when it was received.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) row: u64,
    pub(crate) at: Timestamp,
}

impl Place {
    pub(crate) fn encode(self) -> [u8; 16] {
        joined([self.row.to_be_bytes().as_slice(), &self.at.as_millis().to_be_bytes()])
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        Ok(Self { row: value.u64()?, at: value.last(Fields::time)? })
    }
}

/// What a message's row says of where it is.
#[derive(Clone, Copy)]
pub(crate) struct Filed {
    pub(crate) conversation: u32,
    pub(crate) sender: u32,
    pub(crate) recipient: u32,
    pub(crate) sequence: ServerSequence,
    pub(crate) sender_seq: InboxSeq,
    pub(crate) recipient_seq: InboxSeq,
}

const CLIENT_ID: u8 = 1;
const SUITE: u8 = 2;
const EPHEMERAL: u8 = 4;

impl Filed {
    /// The row of a message.
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
        let part = |there: bool, bit: u8| if there { bit } else { 0 };
        value.push(
            part(message.client_id.is_some(), CLIENT_ID)
                | part(ciphertext.suite().is_some(), SUITE)
                | part(ciphertext.ephemeral().is_some(), EPHEMERAL),
        );
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

    /// Where a message is; what it is stays in the fields for [`message`](Self::message).
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

    /// The message in the rest of the row, given what its refs stand for.
    pub(crate) fn message(
        self,
        conversation: ConversationId,
        sender: UserId,
        mut value: Fields<'_>,
    ) -> Result<Message, Failure> {
        let id = MessageId::from_bytes(value.bytes()?);
        let sent_at = value.time()?;
        let received_at = value.time()?;
        let parts = value.u8()?;
        if parts > CLIENT_ID | SUITE | EPHEMERAL {
            return Err(Failure::Damaged("unknown parts of a message"));
        }
        let client_id =
            if parts & CLIENT_ID == 0 { None } else { Some(ClientMessageId::from_bytes(value.bytes()?)) };
        let suite = if parts & SUITE == 0 { None } else { Some(Suite(value.u32()?)) };
        let nonce: [u8; Ciphertext::NONCE_LEN] = value.bytes()?;
        let ephemeral =
            if parts & EPHEMERAL == 0 { None } else { Some(value.slice(Ciphertext::EPHEMERAL_LEN)?) };
        let payload = Bytes::copy_from_slice(value.rest());
        Ok(Message {
            id,
            conversation,
            sequence: self.sequence,
            sender,
            client_id,
            sent_at,
            received_at,
            ciphertext: Ciphertext::new(payload, &nonce, ephemeral, suite)
                .map_err(|_| Failure::Damaged("no ciphertext"))?,
        })
    }
}

/// An entry's row.
pub(crate) struct EntryRow {
    pub(crate) at: Timestamp,
    /// The user's device that caused it.
    pub(crate) origin: Option<DeviceId>,
    pub(crate) content: Content,
}

/// What an entry points to.
#[derive(Clone, Copy)]
pub(crate) enum Content {
    /// A message, by its row.
    Message(u64),
    /// Something that the entry holds itself.
    Notice(Notice),
}

const NO_ORIGIN: u8 = u8::MAX;
const MESSAGE: u8 = 1;
const NOTICE: u8 = 2;

impl EntryRow {
    pub(crate) fn encode(at: Timestamp, origin: Option<&DeviceId>, content: Content) -> Vec<u8> {
        let mut value = Vec::with_capacity(128);
        value.extend(at.as_millis().to_be_bytes());
        match origin {
            None => value.push(NO_ORIGIN),
            Some(device) if device.is_default() => value.push(0),
            Some(device) => {
                // A device has at most 64 bytes.
                value.push(u8::try_from(device.as_str().len()).unwrap_or(NO_ORIGIN));
                value.extend(device.as_str().as_bytes());
            }
        }
        match content {
            Content::Message(row) => {
                value.push(MESSAGE);
                value.extend(row.to_be_bytes());
            }
            Content::Notice(notice) => {
                value.push(NOTICE);
                value.extend(notice.encode());
            }
        }
        value
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        let at = value.time()?;
        let origin = match value.u8()? {
            NO_ORIGIN => None,
            0 => Some(DeviceId::default()),
            len => Some(device(value.slice(usize::from(len))?)?),
        };
        let content = match value.u8()? {
            MESSAGE => Content::Message(value.last(Fields::u64)?),
            NOTICE => Content::Notice(
                Notice::decode(value.rest()).map_err(|_| Failure::Damaged("no notice of this version"))?,
            ),
            _ => return Err(Failure::Damaged("an entry about nothing")),
        };
        Ok(Self { at, origin, content })
    }
}

/// A device's row.
#[derive(Clone, Debug)]
pub(crate) struct DeviceRow {
    pub(crate) cursor: InboxSeq,
    pub(crate) registered_at: Timestamp,
    pub(crate) device: DeviceId,
}

impl DeviceRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(32);
        value.extend(self.cursor.get().to_be_bytes());
        value.extend(self.registered_at.as_millis().to_be_bytes());
        value.extend(self.device.as_str().as_bytes());
        value
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        Ok(Self { cursor: value.seq()?, registered_at: value.time()?, device: device(value.rest())? })
    }
}

fn device(name: &[u8]) -> Result<DeviceId, Failure> {
    std::str::from_utf8(name)
        .ok()
        .and_then(|name| name.parse().ok())
        .ok_or(Failure::Damaged("no name of a device"))
}

/// The parts, one after the other; together they have `N` bytes.
fn joined<const N: usize, const PARTS: usize>(parts: [&[u8]; PARTS]) -> [u8; N] {
    debug_assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), N, "the parts fill the key");
    let mut key = [0; N];
    for (to, from) in key.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
    key
}

#[cfg(test)]
mod tests;
