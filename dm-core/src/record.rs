//! [`Record`], a small fact that is kept beside the messages: a user's key, a read position, a job.
//!
//! A record has an owner, a kind and a name. Features are made of records, so a new feature needs
//! no change in any store.

use std::fmt;

use bytes::Bytes;

use crate::entropy::Entropy;
use crate::ids::ConversationId;
use crate::invalid::Invalid;
use crate::numbers::Revision;
use crate::time::Timestamp;
use crate::user::UserId;

/// The user, the conversation or the store that a record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A user.
    User(UserId),
    /// A conversation.
    Conversation(ConversationId),
    /// The store itself.
    Store,
}

/// The kind of a record: a number from the list of constants here, or one of a host's own
/// ([`Kind::custom`]).
///
/// The number tells whether records of the kind are **synced**: each change of a synced record gets
/// the next [`Revision`] of its owner, so that a device can ask for the changes since a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(u16);

impl Kind {
    /// The fence of a user or a conversation, under the empty name: the record whose tag a send can
    /// require (see [`Expect::Fence`](crate::store::Expect::Fence)). A user's fence has the user's
    /// published key.
    pub const FENCE: Self = Self(1);
    /// The job that announces a user's published key to the user's peers.
    pub const KEY_ANNOUNCEMENT: Self = Self(2);

    const SYNCED: u16 = 1 << 15;
    const CUSTOM: u16 = 1 << 14;
    /// The largest number of [`custom`](Self::custom).
    pub const MAX_CUSTOM: u16 = Self::CUSTOM - 1;

    /// A kind of the host's own, for features that are not in this library.
    ///
    /// # Errors
    /// [`Invalid`] when `number` is above [`MAX_CUSTOM`](Self::MAX_CUSTOM).
    pub const fn custom(number: u16, is_synced: bool) -> Result<Self, Invalid> {
        if number > Self::MAX_CUSTOM {
            return Err(Invalid::new("kind", "the number of a custom kind is too large"));
        }
        Ok(Self(number | Self::CUSTOM | if is_synced { Self::SYNCED } else { 0 }))
    }

    /// The kind with a number from [`get`](Self::get).
    ///
    /// # Errors
    /// [`Invalid`] for a number that is no kind of this version of the library.
    pub const fn new(number: u16) -> Result<Self, Invalid> {
        let kind = Self(number);
        if number & Self::CUSTOM != 0 || matches!(kind, Self::FENCE | Self::KEY_ANNOUNCEMENT) {
            Ok(kind)
        } else {
            Err(Invalid::new("kind", "not a kind of this version"))
        }
    }

    /// A kind that a store wrote. It is not checked, because a newer version of the library may
    /// know more kinds.
    #[must_use]
    pub const fn from_stored(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether changes of such records get revisions.
    #[must_use]
    pub const fn is_synced(self) -> bool {
        self.0 & Self::SYNCED != 0
    }
}

/// The name of a record among those of its owner and kind: 0 to 96 bytes. Names are ordered by
/// their bytes. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name(Bytes);

impl Name {
    /// The empty name, for kinds of which an owner has one record.
    pub const EMPTY: Self = Self(Bytes::new());
    /// The length of the longest name, in bytes.
    pub const MAX_LEN: usize = 96;

    /// A name.
    ///
    /// # Errors
    /// [`Invalid`] for more than [`MAX_LEN`](Self::MAX_LEN) bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, Invalid> {
        let bytes = bytes.into();
        if bytes.len() > Self::MAX_LEN {
            return Err(Invalid::new("name", "longer than 96 bytes"));
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The 16 bytes of a conversation's id, as the name of the record that is about it.
impl From<ConversationId> for Name {
    fn from(id: ConversationId) -> Self {
        Self(Bytes::copy_from_slice(id.as_bytes()))
    }
}

/// The length only, because a name may be personal data.
impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({} bytes)", self.0.len())
    }
}

/// The key of a record. A store has at most one record with a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// The owner.
    pub owner: Owner,
    /// The kind.
    pub kind: Kind,
    /// The name.
    pub name: Name,
}

impl RecordKey {
    /// A key.
    #[must_use]
    pub const fn new(owner: Owner, kind: Kind, name: Name) -> Self {
        Self { owner, kind, name }
    }

    /// The key of the fence of a user or a conversation.
    #[must_use]
    pub const fn fence(owner: Owner) -> Self {
        Self::new(owner, Kind::FENCE, Name::EMPTY)
    }

    /// Whether this is the key of a fence.
    #[must_use]
    pub fn is_fence(&self) -> bool {
        self.kind == Kind::FENCE && self.name == Name::EMPTY
    }
}

/// All records of an owner and a kind whose names start with the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// The owner.
    pub owner: Owner,
    /// The kind.
    pub kind: Kind,
    /// The first bytes of the names. The empty name includes every record of owner and kind.
    pub name: Name,
}

impl Prefix {
    /// Whether a key is under this prefix.
    #[must_use]
    pub fn contains(&self, key: &RecordKey) -> bool {
        self.owner == key.owner
            && self.kind == key.kind
            && key.name.as_bytes().starts_with(self.name.as_bytes())
    }

    /// The key with the prefix itself as its name: the first one under it.
    #[must_use]
    pub fn first_key(&self) -> RecordKey {
        RecordKey::new(self.owner, self.kind, self.name.clone())
    }
}

/// The state of a record, as 16 bytes that its writer chose. A later write can require that the
/// record is still in this state.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag([u8; 16]);

impl Tag {
    /// The length in bytes.
    pub const LEN: usize = 16;

    /// A tag from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// A random tag, which no other write has.
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; Self::LEN];
        entropy.fill(&mut bytes);
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

/// The first four bytes, in hexadecimal digits.
impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "Tag({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

/// A record, as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The key.
    pub key: RecordKey,
    /// The value, which only the code of its kind understands. Its first byte is a version. The
    /// empty value stands for a record that was deleted, where devices have to learn of it.
    pub value: Bytes,
    /// The state, chosen by the record's last writer.
    pub tag: Tag,
    /// The time at which something is to be done with the record; `None` if nothing is.
    pub due: Option<Timestamp>,
    /// The owner's revision of the record's last change. Zero for a kind that is not synced.
    pub revision: Revision,
}

impl Record {
    /// Maximum length of a value in bytes.
    pub const MAX_VALUE: usize = 128 * 1024;

    /// The number of bytes that the record counts in a page: those of its value, and 192 for the
    /// rest.
    #[must_use]
    pub const fn cost(&self) -> usize {
        self.value.len() + 192
    }
}

/// Lengths only, because a value may be personal data.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("key", &self.key)
            .field("value_len", &self.value.len())
            .field("tag", &self.tag)
            .field("due", &self.due)
            .field("revision", &self.revision)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::testing::user;

    fn name(bytes: &'static [u8]) -> Name {
        Name::new(bytes).unwrap()
    }

    #[test]
    fn names_of_96_bytes_are_accepted_and_longer_ones_refused() {
        assert!(Name::new(vec![0xff; 96]).is_ok());
        assert_eq!(Name::new(vec![0; 97]).unwrap_err().field(), "name");
        assert_eq!(Name::new(Vec::new()).unwrap(), Name::EMPTY);
    }

    #[test]
    fn numbers_that_are_no_kind_are_refused() {
        for number in [0, 3, 0x3fff, 0x8000, 0x8001, 0xbfff] {
            assert!(Kind::new(number).is_err(), "{number}");
        }
        assert!(Kind::custom(Kind::MAX_CUSTOM + 1, false).is_err());
        for is_synced in [false, true] {
            let kind = Kind::custom(Kind::MAX_CUSTOM, is_synced).unwrap();
            assert_eq!(Kind::new(kind.get()), Ok(kind));
            assert_eq!(kind.is_synced(), is_synced);
        }
        for kind in [Kind::FENCE, Kind::KEY_ANNOUNCEMENT] {
            assert_eq!(Kind::new(kind.get()), Ok(kind));
            assert!(!kind.is_synced());
        }
    }

    #[test]
    fn a_prefix_contains_names_that_start_with_it_of_the_same_owner_and_kind() {
        let owner = Owner::User(user(1));
        let prefix = Prefix { owner, kind: Kind::FENCE, name: name(b"ab") };
        let contains = |owner, kind, bytes| prefix.contains(&RecordKey::new(owner, kind, name(bytes)));
        assert!(contains(owner, Kind::FENCE, b"ab"));
        assert!(contains(owner, Kind::FENCE, b"ab\xff"));
        assert!(!contains(owner, Kind::FENCE, b"a"));
        assert!(!contains(owner, Kind::FENCE, b"b"));
        assert!(!contains(owner, Kind::KEY_ANNOUNCEMENT, b"ab"));
        assert!(!contains(Owner::User(user(2)), Kind::FENCE, b"ab"));
        assert!(!contains(Owner::Store, Kind::FENCE, b"ab"));
    }

    #[test]
    fn random_tags_differ_and_debug_texts_have_no_value() {
        let entropy = SeededEntropy::new(1);
        assert_ne!(Tag::random(&entropy), Tag::random(&entropy));
        let record = Record {
            key: RecordKey::new(Owner::Store, Kind::FENCE, name(b"CANARY")),
            value: Bytes::from_static(b"CANARY"),
            tag: Tag::from_bytes([1; 16]),
            due: None,
            revision: Revision::ZERO,
        };
        assert!(!format!("{record:?}").contains("CANARY"));
    }
}
