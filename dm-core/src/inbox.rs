//! [`InboxEntry`], an entry of a user's inbox. The inbox is an append-only log per user. The
//! crate's front page explains the [terms](crate#terms), such as notice and gap.

use std::fmt;
use std::sync::Arc;

use crate::conversation::Conversation;
use crate::device::DeviceId;
use crate::ids::ConversationId;
use crate::key::{KeyBinding, KeyRecord, KeyVersion, X25519Key};
use crate::message::Message;
use crate::numbers::InboxSeq;
use crate::participants::Participants;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A conversation with the user was opened.
    ConversationOpened(Conversation),
    /// A peer in one of the user's conversations published a new key. The record is the peer's key
    /// at the time of the entry; the peer may have published another one since.
    PeerKeyChanged(KeyRecord),
}

/// The bytes are not a [`Notice`] that this version of the library knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an encoded notice of this version")]
pub struct UnknownNotice;

impl Notice {
    const CONVERSATION_OPENED: u8 = 1;
    const PEER_KEY_CHANGED: u8 = 2;

    /// The bytes that a store keeps: one byte for the kind of notice, then fields of fixed width.
    /// At most 128 bytes. Integers are big-endian. The table has the width of each field in bytes.
    ///
    /// | kind | notice | fields |
    /// |---|---|---|
    /// | 1 | conversation opened | id 16, participant a 32, participant b 32, opened at 8 |
    /// | 2 | peer key changed | user 32, key 32, version 4, published at 8, binding 1 |
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
        }
        out
    }

    /// Decodes bytes from [`encode`](Self::encode).
    ///
    /// # Errors
    /// [`UnknownNotice`] for any other bytes: damaged, or written by a newer version.
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
            _ => return Err(UnknownNotice),
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
    /// message, 256 for a notice. The encoded bytes of a notice are at most 128 of the 256; the
    /// rest is for the entry's other fields.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.message().map_or(256, |message| message.cost())
    }
}

/// A hint that an entry was appended to a user's inbox.
///
/// The hint contains the entry, so that a session delivers the entry without reading the store. A
/// session of the device in [`InboxEntry::origin`] does not deliver the entry, unless the session
/// is a follower.
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

    fn notices() -> [Notice; 2] {
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
        [Notice::ConversationOpened(conversation), Notice::PeerKeyChanged(record)]
    }

    #[test]
    fn every_notice_is_decoded_from_its_encoded_bytes() {
        for notice in notices() {
            let bytes = notice.encode();
            assert!(bytes.len() <= 128);
            assert_eq!(Notice::decode(&bytes), Ok(notice));
        }
    }

    #[test]
    fn shortened_lengthened_and_foreign_bytes_are_refused() {
        for notice in notices() {
            let bytes = notice.encode();
            for len in 0..bytes.len() {
                assert_eq!(Notice::decode(&bytes[..len]), Err(UnknownNotice));
            }
            assert_eq!(Notice::decode(&[bytes.as_slice(), &[0]].concat()), Err(UnknownNotice));
        }
        assert_eq!(Notice::decode(&[0xff; 89]), Err(UnknownNotice));
    }
}
