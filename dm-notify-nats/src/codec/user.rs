//! Frames on the subject of a user. `codec.rs` documents their bytes.

use bytes::Bytes;
use dm_core::notify::SessionClaim;
use dm_core::{DeviceId, Event, InboxEntry, InboxSeq, Message, Notice, Registration, UserId};

use super::fields::{CLIENT_ID, EPHEMERAL, SUITE};
use super::frame::{Frame, Writer, put_device};
use super::sessions::{CLAIMS, OBJECTION, Objection};
use super::stamp::{Nonce, Stamp, Undecodable};

const ENTRY: u8 = 1;
const NUMBER: u8 = 2;
const PROBE: u8 = 3;
const PRESENCE_REQUEST: u8 = 4;

const MESSAGE: u8 = 1;
const NOTICE: u8 = 2;

/// The content of a frame on a user's subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UserContent {
    /// A hint with its entry.
    Entry(InboxEntry),
    /// A hint without its entry: the entry's number, and the device that caused the entry.
    Number { seq: InboxSeq, origin: Option<DeviceId> },
    /// A probe, by which the sending node learns that its own subscription has begun.
    Probe(Stamp),
    /// A request whether the user is connected. The reply goes to the nonce's subject.
    PresenceRequest(Nonce),
    /// Claims of the sending node's device sessions.
    Claims { stamp: Stamp, claims: Vec<SessionClaim> },
    /// An objection to a claim.
    Objection(Objection),
}

impl UserContent {
    /// The stamp, if this kind of frame has one.
    pub(crate) const fn stamp(&self) -> Option<Stamp> {
        match self {
            Self::Probe(stamp) | Self::Claims { stamp, .. } | Self::Objection(Objection { stamp, .. }) => {
                Some(*stamp)
            }
            Self::Entry(_) | Self::Number { .. } | Self::PresenceRequest(_) => None,
        }
    }
}

impl Writer {
    /// Encodes a hint. It has its entry if the frame then takes at most `max_bytes` bytes.
    pub(crate) fn hint(self, entry: &InboxEntry, max_bytes: usize) -> Vec<u8> {
        let mut out = self.start(ENTRY, entry.cost().min(max_bytes) + 64);
        put_seq_and_origin(&mut out, entry.seq, entry.origin.as_ref());
        out.extend(entry.at.as_millis().to_be_bytes());
        out.extend(entry.addressee.unwrap_or(Registration::ZERO).get().to_be_bytes());
        match &entry.event {
            // A payload that is too long is not copied first.
            Event::Message(message) if message.ciphertext.payload().len() > max_bytes => {
                return self.hint_without_entry(entry.seq, entry.origin.as_ref());
            }
            Event::Message(message) => put_message(&mut out, message),
            Event::Notice(notice) => {
                out.push(NOTICE);
                out.extend(notice.encode());
            }
        }
        if out.len() > max_bytes { self.hint_without_entry(entry.seq, entry.origin.as_ref()) } else { out }
    }

    /// Encodes a hint with only the number, which nodes without a key send.
    pub(crate) fn hint_with_only_number(self, seq: InboxSeq) -> Vec<u8> {
        self.hint_without_entry(seq, None)
    }

    pub(crate) fn probe(self, stamp: Stamp) -> Vec<u8> {
        self.start_stamped(PROBE, stamp, 0)
    }

    pub(crate) fn presence_request(self, nonce: Nonce) -> Vec<u8> {
        let mut out = self.start(PRESENCE_REQUEST, 16);
        out.extend(nonce.0);
        out
    }

    /// Encodes a hint without its entry.
    fn hint_without_entry(self, seq: InboxSeq, origin: Option<&DeviceId>) -> Vec<u8> {
        let mut out = self.start(NUMBER, 80);
        put_seq_and_origin(&mut out, seq, origin);
        out
    }
}

impl Frame<UserContent> {
    /// Decodes a frame on the subject of a user.
    pub(crate) fn decode_user(bytes: &Bytes, user: UserId) -> Result<Self, Undecodable> {
        Self::read(bytes, |kind, from, fields| {
            Ok(match kind {
                ENTRY => {
                    let (seq, origin) = fields.seq_and_origin()?;
                    let (at, addressee) = (fields.time()?, fields.addressee()?);
                    let event = match fields.take()? {
                        [MESSAGE] => Event::Message(fields.message(bytes)?.into()),
                        [NOTICE] => Event::Notice(notice(fields.take_remaining(), user)?),
                        _ => return Err(Undecodable),
                    };
                    UserContent::Entry(InboxEntry { seq, at, origin, addressee, event })
                }
                NUMBER => {
                    let (seq, origin) = fields.seq_and_origin()?;
                    UserContent::Number { seq, origin }
                }
                PROBE => UserContent::Probe(fields.stamp()?),
                PRESENCE_REQUEST => UserContent::PresenceRequest(fields.nonce()?),
                CLAIMS => UserContent::Claims { stamp: fields.stamp()?, claims: fields.claims(user, from)? },
                OBJECTION => UserContent::Objection(fields.objection(from)?),
                _ => return Err(Undecodable),
            })
        })
    }
}

fn put_seq_and_origin(out: &mut Vec<u8>, seq: InboxSeq, origin: Option<&DeviceId>) {
    out.extend(seq.get().to_be_bytes());
    put_device(out, origin);
}

fn put_message(out: &mut Vec<u8>, message: &Message) {
    let ciphertext = &message.ciphertext;
    out.push(MESSAGE);
    out.extend(message.id.as_bytes());
    out.extend(message.conversation.as_bytes());
    out.extend(message.sequence.get().to_be_bytes());
    out.extend(message.sender.as_bytes());
    out.extend(message.sender_sequence.get().to_be_bytes());
    out.extend(message.sent_at.as_millis().to_be_bytes());
    out.extend(message.received_at.as_millis().to_be_bytes());
    let flag = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
    out.push(
        flag(message.client_id.is_some(), CLIENT_ID)
            | flag(ciphertext.suite().is_some(), SUITE)
            | flag(ciphertext.ephemeral().is_some(), EPHEMERAL),
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

/// Decodes a notice. Fails for the notice of a conversation in which the user is not a participant.
fn notice(bytes: &[u8], user: UserId) -> Result<Notice, Undecodable> {
    match Notice::decode(bytes).map_err(|_| Undecodable)? {
        Notice::ConversationOpened(opened) if opened.participants.side(user).is_none() => Err(Undecodable),
        notice => Ok(notice),
    }
}
