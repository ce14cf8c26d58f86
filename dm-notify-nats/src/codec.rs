//! What nodes say to each other, as bytes.
//!
//! Everything goes to a user's subject, which says whose it is; integers are big-endian.
//!
//! | bytes | |
//! |---|---|
//! | 1 | version of this format: 1 |
//! | 1 | kind |
//! | 8 | the node that says it |
//! | | kind 1, a hint with its entry: number 8, origin, queued at 8, then 1 and a message, or 2 and an encoded notice |
//! | | kind 2, a hint without it: number 8, origin |
//! | | kind 3, a probe, which tells the node that sent it that its subscription has begun |
//! | | kind 4, a question whether somebody is connected; its answer has no bytes |
//!
//! An origin is a length of 1 and a device's name; length 0 is the default device, and length 255 none. A message is id 16,
//! conversation 16, sequence 8, sender 32, sent at 8, received at 8, parts 1, then, as the bits of the parts say: client id
//! 16, suite 4, ephemeral key 32; then nonce 24, and the payload is the rest.

use bytes::Bytes;
use dm_core::{
    Ciphertext, ClientMessageId, ConversationId, DeviceId, Event, InboxEntry, InboxSeq, Message, MessageId,
    Notice, ServerSequence, Suite, Timestamp, UserId,
};

const VERSION: u8 = 1;

const ENTRY: u8 = 1;
const NUMBER: u8 = 2;
const PROBE: u8 = 3;
const QUESTION: u8 = 4;

const NO_ORIGIN: u8 = u8::MAX;
const MESSAGE: u8 = 1;
const NOTICE: u8 = 2;

const CLIENT_ID: u8 = 1;
const SUITE: u8 = 2;
const EPHEMERAL: u8 = 4;

/// What a node calls itself: random, so that it knows its own words when they come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeId(pub(crate) [u8; 8]);

/// Something that a node said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) from: NodeId,
    pub(crate) said: Said,
}

/// What it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Entry(InboxEntry),
    Number { seq: InboxSeq, origin: Option<DeviceId> },
    Probe,
    Question,
}

/// Bytes that are none of these, or of another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undecodable;

impl NodeId {
    /// A hint, with its entry if that makes no more than `most` bytes.
    pub(crate) fn hint(self, entry: &InboxEntry, most: usize) -> Bytes {
        let mut out = self.say(ENTRY, entry.cost().min(most) + 64);
        number(&mut out, entry);
        out.extend(entry.at.as_millis().to_be_bytes());
        match &entry.event {
            // Not worth a copy that is thrown away.
            Event::Message(message) if message.ciphertext.payload().len() > most => {
                return self.number(entry);
            }
            Event::Message(message) => put_message(&mut out, message),
            Event::Notice(notice) => {
                out.push(NOTICE);
                out.extend(notice.encode());
            }
        }
        if out.len() > most { self.number(entry) } else { out.into() }
    }

    pub(crate) fn probe(self) -> Bytes {
        self.say(PROBE, 0).into()
    }

    pub(crate) fn question(self) -> Bytes {
        self.say(QUESTION, 0).into()
    }

    fn number(self, entry: &InboxEntry) -> Bytes {
        let mut out = self.say(NUMBER, 80);
        number(&mut out, entry);
        out.into()
    }

    fn say(self, kind: u8, room: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(10 + room);
        out.extend([VERSION, kind]);
        out.extend(self.0);
        out
    }
}

impl Frame {
    /// What somebody said on the subject of a user.
    pub(crate) fn decode(bytes: &Bytes, user: UserId) -> Result<Self, Undecodable> {
        let mut fields = Fields(bytes);
        let [version, kind] = fields.take()?;
        if version != VERSION {
            return Err(Undecodable);
        }
        let from = NodeId(fields.take()?);
        let said = match kind {
            ENTRY => {
                let (seq, origin) = fields.number()?;
                let at = fields.time()?;
                let event = match fields.take()? {
                    [MESSAGE] => Event::Message(fields.message(bytes)?.into()),
                    [NOTICE] => Event::Notice(notice(fields.rest(), user)?),
                    _ => return Err(Undecodable),
                };
                Said::Entry(InboxEntry { seq, at, origin, event })
            }
            NUMBER => {
                let (seq, origin) = fields.number()?;
                fields.end()?;
                Said::Number { seq, origin }
            }
            PROBE => fields.end().map(|()| Said::Probe)?,
            QUESTION => fields.end().map(|()| Said::Question)?,
            _ => return Err(Undecodable),
        };
        Ok(Self { from, said })
    }
}

fn number(out: &mut Vec<u8>, entry: &InboxEntry) {
    out.extend(entry.seq.get().to_be_bytes());
    match &entry.origin {
        None => out.push(NO_ORIGIN),
        Some(device) if device.is_default() => out.push(0),
        Some(device) => {
            // A device has at most 64 bytes.
            out.push(u8::try_from(device.as_str().len()).unwrap_or(NO_ORIGIN));
            out.extend(device.as_str().as_bytes());
        }
    }
}

fn put_message(out: &mut Vec<u8>, message: &Message) {
    let ciphertext = &message.ciphertext;
    out.push(MESSAGE);
    out.extend(message.id.as_bytes());
    out.extend(message.conversation.as_bytes());
    out.extend(message.sequence.get().to_be_bytes());
    out.extend(message.sender.as_bytes());
    out.extend(message.sent_at.as_millis().to_be_bytes());
    out.extend(message.received_at.as_millis().to_be_bytes());
    let part = |there: bool, bit: u8| if there { bit } else { 0 };
    out.push(
        part(message.client_id.is_some(), CLIENT_ID)
            | part(ciphertext.suite().is_some(), SUITE)
            | part(ciphertext.ephemeral().is_some(), EPHEMERAL),
    );
    if let Some(id) = message.client_id {
        out.extend(id.as_bytes());
    }
    if let Some(suite) = ciphertext.suite() {
        out.extend(suite.0.to_be_bytes());
    }
    if let Some(key) = ciphertext.ephemeral() {
        out.extend(key);
    }
    out.extend(ciphertext.nonce());
    out.extend_from_slice(ciphertext.payload());
}

/// A notice that a user can have got.
fn notice(bytes: &[u8], user: UserId) -> Result<Notice, Undecodable> {
    match Notice::decode(bytes).map_err(|_| Undecodable)? {
        Notice::ConversationOpened(opened) if opened.participants.side(user).is_none() => Err(Undecodable),
        notice => Ok(notice),
    }
}

/// Reads fields off the front of a slice.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Undecodable> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Undecodable)?;
        self.0 = rest;
        Ok(*field)
    }

    fn u64(&mut self) -> Result<u64, Undecodable> {
        self.take().map(u64::from_be_bytes)
    }

    fn time(&mut self) -> Result<Timestamp, Undecodable> {
        self.u64().map(Timestamp::from_millis)
    }

    /// A place in an inbox, and the device that caused what is there.
    fn number(&mut self) -> Result<(InboxSeq, Option<DeviceId>), Undecodable> {
        let seq = self.u64().map(InboxSeq::new)?;
        let origin = match self.take()? {
            [NO_ORIGIN] => None,
            [0] => Some(DeviceId::default()),
            [len] => {
                let (name, rest) = self.0.split_at_checked(usize::from(len)).ok_or(Undecodable)?;
                self.0 = rest;
                let name = std::str::from_utf8(name).map_err(|_| Undecodable)?;
                Some(name.parse().map_err(|_| Undecodable)?)
            }
        };
        Ok((seq, origin))
    }

    /// The message that is the rest of some bytes, whose payload it shares.
    fn message(&mut self, bytes: &Bytes) -> Result<Message, Undecodable> {
        let id = MessageId::from_bytes(self.take()?);
        let conversation = ConversationId::from_bytes(self.take()?);
        let sequence = ServerSequence::new(self.u64()?);
        let sender = UserId::from_bytes(self.take()?).map_err(|_| Undecodable)?;
        let (sent_at, received_at) = (self.time()?, self.time()?);
        let [parts] = self.take()?;
        if parts > CLIENT_ID | SUITE | EPHEMERAL {
            return Err(Undecodable);
        }
        let client_id =
            if parts & CLIENT_ID == 0 { None } else { Some(ClientMessageId::from_bytes(self.take()?)) };
        let suite = if parts & SUITE == 0 { None } else { Some(Suite(u32::from_be_bytes(self.take()?))) };
        let ephemeral =
            if parts & EPHEMERAL == 0 { None } else { Some(self.take::<{ Ciphertext::EPHEMERAL_LEN }>()?) };
        let nonce: [u8; Ciphertext::NONCE_LEN] = self.take()?;
        let payload = bytes.slice_ref(self.0);
        let ciphertext = Ciphertext::new(payload, &nonce, ephemeral.as_ref().map(|key| &key[..]), suite)
            .map_err(|_| Undecodable)?;
        Ok(Message { id, conversation, sequence, sender, client_id, sent_at, received_at, ciphertext })
    }

    const fn rest(&self) -> &'a [u8] {
        self.0
    }

    const fn end(&self) -> Result<(), Undecodable> {
        if self.0.is_empty() { Ok(()) } else { Err(Undecodable) }
    }
}

#[cfg(test)]
mod tests;
