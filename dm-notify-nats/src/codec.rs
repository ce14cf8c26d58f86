//! The bytes that nodes send each other, before [`seal`](crate::seal) adds its tag.
//!
//! Integers are big-endian. Frames that concern one user go to the user's subject, which names the user:
//!
//! | bytes | |
//! |---|---|
//! | 1 | version of this format: 2 |
//! | 1 | kind |
//! | 8 | the node that sends it |
//! | | kind 1, a hint with its entry: number 8, origin, queued at 8, then 1 and a message, or 2 and an encoded notice |
//! | | kind 2, a hint without it: number 8, origin |
//! | | kind 3, a probe, which tells the node that sent it that its subscription has begun |
//! | | kind 4, a question whether somebody is connected; the answer is kind 12 |
//! | | kind 5, device sessions of the node: stamp, then for each device, term at 8, number 8, age in ms 8 |
//! | | kind 6, an objection to a device session: stamp, device, the node that has the session 8, its number 8, then the objecting session's term at 8 and number 8 |
//!
//! Frames that concern all nodes go to the subject of the nodes, and answers to a subject of the question's own:
//!
//! | bytes | |
//! |---|---|
//! | | kind 8, alive; kind 9, alive, and asking the others to say so; kind 10, leaving: stamp |
//! | | kind 11, an order to end sessions: stamp, reason 1 (0 device forgotten, 1 refused, 2 signed out), user 32, device or none |
//! | | kind 12, the user who was asked for is connected |
//! | | kind 13, an order was carried out: sessions ended 4 |
//!
//! A stamp is the sender's time 8 and the number 8 of the frame among the sender's: a frame that has one is taken once, and
//! only while it is new. A device is a length of 1 and its name; length 0 is the default device, and length 255 none. An
//! origin is a device or none. A message is id 16, conversation 16, sequence 8, sender 32, sent at 8, received at 8, parts 1,
//! then, as the bits of the parts say: client id 16, suite 4, ephemeral key 32; then nonce 24, and the payload is the rest.

mod fields;
mod nodes;
mod sessions;

pub(crate) use nodes::{NodeFrame, NodeSaid};
pub(crate) use sessions::CLAIMS_AT_ONCE;

use bytes::Bytes;
use dm_core::{
    DeviceId, Event, InboxEntry, InboxSeq, Message, NodeId, Notice, SessionClaim, SessionId, Term, Timestamp,
    UserId,
};
use fields::Fields;

use crate::seal::TAG_LEN;

const VERSION: u8 = 2;

const ENTRY: u8 = 1;
const NUMBER: u8 = 2;
const PROBE: u8 = 3;
const QUESTION: u8 = 4;
const CLAIMS: u8 = 5;
const OBJECTION: u8 = 6;

const NO_DEVICE: u8 = u8::MAX;
const MESSAGE: u8 = 1;
const NOTICE: u8 = 2;

const CLIENT_ID: u8 = 1;
const SUITE: u8 = 2;
const EPHEMERAL: u8 = 4;

/// Writes what a node says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer(pub(crate) NodeId);

/// Tells a frame from the sender's others, and when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) at: Timestamp,
    pub(crate) count: u64,
}

/// Something that a node said on a user's subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) from: NodeId,
    pub(crate) said: Said,
}

/// The content of a [`Frame`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Entry(InboxEntry),
    Number {
        seq: InboxSeq,
        origin: Option<DeviceId>,
    },
    Probe,
    Question,
    /// Device sessions of the node.
    Claims {
        stamp: Stamp,
        claims: Vec<SessionClaim>,
    },
    Objection(Objection),
}

/// A node objects to a session of another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Objection {
    pub(crate) stamp: Stamp,
    pub(crate) device: DeviceId,
    /// The session that is objected to.
    pub(crate) session: SessionId,
    /// The session that objects.
    pub(crate) theirs: Term,
}

/// Bytes that are none of these, or of another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undecodable;

impl Writer {
    /// A hint, with its entry if that makes no more than `most` bytes.
    pub(crate) fn hint(self, entry: &InboxEntry, most: usize) -> Vec<u8> {
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
        if out.len() > most { self.number(entry) } else { out }
    }

    /// A hint that says no more than that there is an entry: all that is believed without a key.
    pub(crate) fn bare_number(self, seq: InboxSeq) -> Vec<u8> {
        let mut out = self.say(NUMBER, 16);
        out.extend(seq.get().to_be_bytes());
        device(&mut out, None);
        out
    }

    pub(crate) fn probe(self) -> Vec<u8> {
        self.say(PROBE, 0)
    }

    pub(crate) fn question(self) -> Vec<u8> {
        self.say(QUESTION, 0)
    }

    fn number(self, entry: &InboxEntry) -> Vec<u8> {
        let mut out = self.say(NUMBER, 80);
        number(&mut out, entry);
        out
    }

    fn say(self, kind: u8, room: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(10 + room + TAG_LEN);
        out.extend([VERSION, kind]);
        out.extend(self.0.as_bytes());
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
        let from = fields.node()?;
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
            CLAIMS => {
                let (stamp, claims) = fields.claims(user, from)?;
                Said::Claims { stamp, claims }
            }
            OBJECTION => Said::Objection(fields.objection(from)?),
            _ => return Err(Undecodable),
        };
        Ok(Self { from, said })
    }
}

fn number(out: &mut Vec<u8>, entry: &InboxEntry) {
    out.extend(entry.seq.get().to_be_bytes());
    device(out, entry.origin.as_ref());
}

fn device(out: &mut Vec<u8>, device: Option<&DeviceId>) {
    match device {
        None => out.push(NO_DEVICE),
        Some(device) if device.is_default() => out.push(0),
        Some(device) => {
            // A device has at most 64 bytes.
            out.push(u8::try_from(device.as_str().len()).unwrap_or(NO_DEVICE));
            out.extend(device.as_str().as_bytes());
        }
    }
}

fn stamp(out: &mut Vec<u8>, stamp: Stamp) {
    out.extend(stamp.at.as_millis().to_be_bytes());
    out.extend(stamp.count.to_be_bytes());
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

#[cfg(test)]
mod tests;
