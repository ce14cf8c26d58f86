//! [`InboxEntry`], an entry of a user's inbox. The inbox is an append-only log per user. The
//! crate's front page explains the [terms](crate#terms), such as notice and gap.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::conversation::Conversation;
use crate::device::DeviceId;
use crate::ids::ConversationId;
use crate::invalid::Invalid;
use crate::key::{KeyBinding, KeyRecord, KeyVersion, X25519Key};
use crate::message::Message;
use crate::numbers::{InboxSeq, Registration};
use crate::participants::Participants;
use crate::proof::CursorProof;
use crate::time::Timestamp;
use crate::user::UserId;

/// One entry of a user's inbox: an event, and its number in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxEntry {
    /// Its number in the user's inbox.
    pub seq: InboxSeq,
    /// The time at which it was appended, by the service's clock.
    pub at: Timestamp,
    /// The device of the inbox's owner that caused the entry; `None` if none did. The entry is not
    /// pending for that device.
    pub origin: Option<DeviceId>,
    /// The registration that the entry is for; `None` if it is for all devices of the user. The
    /// entry is not pending for the other devices.
    pub addressee: Option<Registration>,
    /// The event.
    pub event: Event,
}

/// The event that an [`InboxEntry`] tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message in one of the user's conversations, received or sent. The entries in the inboxes
    /// of both users share the message in memory.
    Message(Arc<Message>),
    /// Any other event.
    Notice(Notice),
}

/// An event that is not a message. Stores keep the bytes from [`encode`](Notice::encode), so a new
/// kind of notice needs no change in any store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A conversation with the user was opened.
    ConversationOpened(Conversation),
    /// A peer in one of the user's conversations published a new key. The record is the peer's key
    /// at the time of the entry; the peer may have published another one since.
    PeerKeyChanged(KeyRecord),
    /// An event that this version of the library does not know: of a newer version, or a host's
    /// own.
    Other(OtherNotice),
}

/// The bytes of a notice that this version of the library does not know. `Debug` prints their
/// number only.
#[derive(Clone, PartialEq, Eq)]
pub struct OtherNotice(Bytes);

impl OtherNotice {
    /// The smallest kind of a host's own notices. The kinds below are for the library.
    pub const FIRST_CUSTOM: u8 = 128;

    /// A notice of the host's own. The first byte is its kind.
    ///
    /// # Errors
    /// [`Invalid`] for no bytes, for more than [`Notice::MAX_LEN`], and for a kind below
    /// [`FIRST_CUSTOM`](Self::FIRST_CUSTOM).
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, Invalid> {
        let bytes = bytes.into();
        if bytes.len() > Notice::MAX_LEN {
            return Err(Invalid::new("notice", "longer than 512 bytes"));
        }
        match bytes.first() {
            Some(kind) if *kind >= Self::FIRST_CUSTOM => Ok(Self(bytes)),
            _ => Err(Invalid::new("notice", "not of a kind for hosts")),
        }
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for OtherNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OtherNotice({} bytes)", self.0.len())
    }
}

/// The bytes are no [`Notice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an encoded notice")]
pub struct UnknownNotice;

impl Notice {
    const CONVERSATION_OPENED: u8 = 1;
    const PEER_KEY_CHANGED: u8 = 2;

    /// Maximum length of the encoded form, in bytes.
    pub const MAX_LEN: usize = 512;

    /// The bytes that a store keeps: one byte for the kind of notice, then its fields. At most
    /// [`MAX_LEN`](Self::MAX_LEN). Integers are big-endian. The table has the width of each field
    /// in bytes.
    ///
    /// | kind | notice | fields |
    /// |---|---|---|
    /// | 1 | conversation opened | id 16, participant a 32, participant b 32, opened at 8 |
    /// | 2 | peer key changed | user 32, key 32, version 4, published at 8, binding 1 |
    /// | others | not known to this version | any |
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        match self {
            Self::ConversationOpened(conversation) => {
                out.push(Self::CONVERSATION_OPENED);
                out.extend(conversation.id.as_bytes());
                out.extend(conversation.participants.a().as_bytes());
                out.extend(conversation.participants.b().as_bytes());
                out.extend(conversation.opened_at.as_millis().to_be_bytes());
            }
            Self::PeerKeyChanged(record) => {
                out.push(Self::PEER_KEY_CHANGED);
                out.extend(record.user.as_bytes());
                out.extend(record.key.as_bytes());
                out.extend(record.version.get().to_be_bytes());
                out.extend(record.published_at.as_millis().to_be_bytes());
                out.push(record.binding.code());
            }
            Self::Other(other) => out.extend_from_slice(&other.0),
        }
        out
    }

    /// Decodes bytes from [`encode`](Self::encode). Bytes of an unknown kind become
    /// [`Other`](Self::Other).
    ///
    /// # Errors
    /// [`UnknownNotice`] for no bytes, for more than [`MAX_LEN`](Self::MAX_LEN), and for a known
    /// kind with other fields.
    pub fn decode(bytes: &[u8]) -> Result<Self, UnknownNotice> {
        let mut fields = Fields(bytes);
        let notice = match fields.take::<1>()? {
            [Self::CONVERSATION_OPENED] => Self::ConversationOpened(Conversation {
                id: ConversationId::from_bytes(fields.take()?),
                participants: Participants::new(
                    UserId::from_stored(fields.take()?),
                    UserId::from_stored(fields.take()?),
                )
                .map_err(|_| UnknownNotice)?,
                opened_at: Timestamp::from_millis(u64::from_be_bytes(fields.take()?)),
            }),
            [Self::PEER_KEY_CHANGED] => Self::PeerKeyChanged(KeyRecord {
                user: UserId::from_stored(fields.take()?),
                key: X25519Key::from_stored(fields.take()?),
                version: KeyVersion::new(u32::from_be_bytes(fields.take()?)).map_err(|_| UnknownNotice)?,
                published_at: Timestamp::from_millis(u64::from_be_bytes(fields.take()?)),
                binding: fields
                    .take::<1>()
                    .and_then(|[code]| KeyBinding::from_code(code).ok_or(UnknownNotice))?,
            }),
            _ if bytes.len() > Self::MAX_LEN => return Err(UnknownNotice),
            _ => return Ok(Self::Other(OtherNotice(Bytes::copy_from_slice(bytes)))),
        };
        if fields.0.is_empty() { Ok(notice) } else { Err(UnknownNotice) }
    }
}

impl InboxEntry {
    /// The message, if the entry is about one.
    #[must_use]
    pub const fn message(&self) -> Option<&Arc<Message>> {
        match &self.event {
            Event::Message(message) => Some(message),
            Event::Notice(_) => None,
        }
    }

    /// The number of bytes that the entry counts in a page or a queue: [`Message::cost`] for a
    /// message; for a notice 256, or its encoded bytes and 128 for the entry's other fields if that
    /// is more.
    #[must_use]
    pub fn cost(&self) -> usize {
        match &self.event {
            Event::Message(message) => message.cost(),
            Event::Notice(Notice::Other(other)) => (other.0.len() + 128).max(256),
            Event::Notice(_) => 256,
        }
    }

    /// Whether the entry is for the device with this registration: it is for all devices, or for
    /// this one. `None` stands for a device that is not registered.
    #[must_use]
    pub fn is_for(&self, registration: Option<Registration>) -> bool {
        self.addressee.is_none() || self.addressee == registration
    }

    /// The proof that a client gives when it resumes after this entry of a user's inbox (see
    /// [`CursorProof`]).
    #[must_use]
    pub fn proof(&self, user: UserId) -> CursorProof {
        match &self.event {
            Event::Message(message) => CursorProof::new(user, self.seq, self.at, message.id.as_bytes()),
            Event::Notice(notice) => CursorProof::new(user, self.seq, self.at, &notice.encode()),
        }
    }
}

/// A hint that an entry was appended to a user's inbox.
///
/// The hint contains the entry, so that a session delivers the entry without reading the store. A
/// session of the device in [`InboxEntry::origin`] does not deliver the entry, unless the session
/// is a follower. If the entry has an [addressee](InboxEntry::addressee), only a session of that
/// registration delivers it.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The owner of the inbox.
    pub user: UserId,
    /// The entry.
    pub entry: InboxEntry,
}

/// A range of a user's inbox that was removed. A device that had not acknowledged the whole range
/// is told of the gap before it gets any newer entry. The device then reads the history of the
/// user's conversations instead of the removed entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The number of the first missing entry.
    pub from: InboxSeq,
    /// The number of the last missing entry, which is part of the gap.
    pub to: InboxSeq,
    /// The reason why the entries were removed.
    pub reason: GapReason,
}

/// The reason why a range of an inbox was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapReason {
    /// The entries were older than the inbox's retention.
    Expired,
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "expired",
        })
    }
}

/// The bytes of a notice that are not decoded yet.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// Removes and returns the first `N` bytes.
    fn take<const N: usize>(&mut self) -> Result<[u8; N], UnknownNotice> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or(UnknownNotice)?;
        self.0 = rest;
        Ok(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::user;

    fn notices() -> [Notice; 3] {
        let conversation = Conversation {
            id: ConversationId::from_bytes([9; 16]),
            participants: Participants::new(user(1), user(2)).unwrap(),
            opened_at: Timestamp::from_millis(5),
        };
        let record = KeyRecord {
            user: user(1),
            key: X25519Key::from_stored([9; 32]),
            version: KeyVersion::FIRST.next(),
            published_at: Timestamp::from_millis(6),
            binding: KeyBinding::Unproven,
        };
        let other = OtherNotice::new(vec![200; 512]).unwrap();
        [Notice::ConversationOpened(conversation), Notice::PeerKeyChanged(record), Notice::Other(other)]
    }

    #[test]
    fn every_notice_is_decoded_from_its_encoded_bytes() {
        for notice in notices() {
            let bytes = notice.encode();
            assert!(bytes.len() <= Notice::MAX_LEN);
            assert_eq!(Notice::decode(&bytes), Ok(notice));
        }
    }

    #[test]
    fn shortened_and_lengthened_bytes_of_a_known_kind_are_refused() {
        for notice in &notices()[..2] {
            let bytes = notice.encode();
            for len in 0..bytes.len() {
                assert_eq!(Notice::decode(&bytes[..len]), Err(UnknownNotice));
            }
            assert_eq!(Notice::decode(&[bytes.as_slice(), &[0]].concat()), Err(UnknownNotice));
        }
        assert_eq!(Notice::decode(&[0xff; 513]), Err(UnknownNotice));
    }

    #[test]
    fn a_host_can_make_notices_of_its_own_kinds_only() {
        assert!(OtherNotice::new(Vec::new()).is_err());
        assert!(OtherNotice::new(vec![127]).is_err());
        assert!(OtherNotice::new(vec![128]).is_ok());
        assert_eq!(OtherNotice::new(vec![200; 513]).unwrap_err().field(), "notice");
        // A notice of a newer version of the library.
        assert!(matches!(Notice::decode(&[3, 0]), Ok(Notice::Other(_))));
    }
}
