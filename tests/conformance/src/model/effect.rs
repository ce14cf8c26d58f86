//! Conditions and effects of operations, as data.

use dm_core::store::{
    Ceiling, Change, Expect, GateChange, InboxSeq, Kind, Name, Owner, Participants, Party, Post, Prefix, Put,
    RecordKey, Registration, SenderSequence, Update, UserGateChange,
};

use super::ids::{DEVICES, nth_user, time};
use crate::build;

/// The names of the records of a script, by number: the empty one, prefixes of each other, the
/// smallest and the largest byte at their ends, and the longest.
pub(super) const NAMES: [&[u8]; 8] =
    [b"", b"a", b"a\0", b"aa", b"a\xff", b"b", b"\xff\xff", &[b'z'; Name::MAX_LEN]];

/// The owner of a record, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerOf {
    /// A user.
    User(u64),
    /// A conversation.
    Conversation(u64),
    /// The store.
    Store,
}

/// The kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KindOf {
    /// [`Kind::FENCE`].
    Fence,
    /// A kind that is not synced.
    Plain,
    /// A synced kind.
    Synced,
}

/// The name of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameOf {
    /// One of eight names, by number.
    Text(usize),
    /// The id of a conversation, by number.
    Conversation(u64),
}

/// The key of a record, or, by its name, the prefix of some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The owner.
    pub owner: OwnerOf,
    /// The kind.
    pub kind: KindOf,
    /// The name.
    pub name: NameOf,
}

/// A record to put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutOf {
    /// The key.
    pub key: Key,
    /// The value: none of 0, one byte of a number below 200, 6,000 bytes of any other.
    pub value: u8,
    /// The number of the tag.
    pub tag: u64,
    /// The time at which it is due, in milliseconds after the start of the script.
    pub due: Option<i64>,
}

/// A condition of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There is no record with the key.
    Absent(Key),
    /// There is one, and it has the tag with this number.
    Tagged(Key, u64),
    /// There are fewer records under the key than this number.
    Fewer(Key, u16),
    /// The fence of a party has the tag with this number.
    Fence(Party, u64),
}

/// An effect of an operation beside its action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A record is put.
    Put(PutOf),
    /// A record is raised.
    Raise(PutOf),
    /// A record is deleted.
    Delete(Key),
    /// The records under a key are deleted.
    Clear(Key),
    /// The first record under a key is taken, or else another one is returned.
    Take(Key, Option<Key>),
    /// The gate of two users is changed.
    Gate {
        /// One of the users.
        one: u64,
        /// The other.
        other: u64,
        /// The bits to set.
        close: u8,
        /// The bits to clear.
        open: u8,
        /// The ceiling of the smaller participant: messages and bytes.
        a: Update<(u64, u64)>,
        /// That of the larger participant.
        b: Update<(u64, u64)>,
    },
    /// The gate of a user is changed.
    UserGate {
        /// The user.
        user: u64,
        /// Whether it is closed.
        close: Option<bool>,
        /// The ceiling of the inbox.
        ceiling: Update<u64>,
    },
    /// A notice is posted.
    Post {
        /// The owner of the inbox.
        to: u64,
        /// The number that the notice says.
        says: u64,
        /// The registration that it is for.
        registration: Option<u64>,
        /// The index in [`DEVICES`] of the device that caused it.
        origin: Option<usize>,
    },
}

impl OwnerOf {
    pub(super) fn owner(self) -> Owner {
        match self {
            Self::User(n) => Owner::User(nth_user(n)),
            Self::Conversation(n) => Owner::Conversation(build::conversation(n)),
            Self::Store => Owner::Store,
        }
    }
}

impl KindOf {
    /// All kinds of a script.
    pub(super) const ALL: [Self; 3] = [Self::Fence, Self::Plain, Self::Synced];

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Fence => Kind::FENCE,
            Self::Plain => build::kind(),
            Self::Synced => build::synced(),
        }
    }
}

impl NameOf {
    pub(super) fn name(self) -> Name {
        match self {
            Self::Text(n) => build::name(NAMES[n]),
            Self::Conversation(n) => Name::from(build::conversation(n)),
        }
    }
}

impl Key {
    /// The key.
    #[must_use]
    pub fn key(self) -> RecordKey {
        RecordKey::new(self.owner.owner(), self.kind.kind(), self.name.name())
    }

    /// The prefix of the same owner, kind and name.
    #[must_use]
    pub fn prefix(self) -> Prefix {
        let RecordKey { owner, kind, name } = self.key();
        Prefix { owner, kind, name }
    }
}

impl PutOf {
    fn put(self) -> Put {
        let value = match self.value {
            0 => Vec::new(),
            value @ 1..200 => vec![value],
            value => vec![value; 6_000],
        };
        let (key, tag, due) = (self.key.key(), build::tag(self.tag), self.due.map(time));
        Put { key, value: value.into(), tag, due }
    }
}

impl Condition {
    /// The condition as the contract has it.
    #[must_use]
    pub fn expect(self) -> Expect {
        match self {
            Self::Absent(key) => Expect::Absent(key.key()),
            Self::Tagged(key, tag) => Expect::Tagged(key.key(), build::tag(tag)),
            Self::Fewer(under, than) => Expect::Fewer { under: under.prefix(), than },
            Self::Fence(of, tag) => Expect::Fence { of, tag: build::tag(tag) },
        }
    }
}

impl Effect {
    /// The change as the contract has it; `None` for a post.
    ///
    /// # Panics
    /// Panics for the gate of a user and the same user.
    #[must_use]
    pub fn change(self) -> Option<Change> {
        let ceiling = |update| match update {
            Update::Keep => Update::Keep,
            Update::Set((messages, bytes)) => {
                Update::Set(Ceiling { messages: SenderSequence::new(messages), bytes })
            }
            Update::Remove => Update::Remove,
        };
        Some(match self {
            Self::Put(put) => Change::Put(put.put()),
            Self::Raise(put) => Change::Raise(put.put()),
            Self::Delete(key) => Change::Delete(key.key()),
            Self::Clear(key) => Change::Clear(key.prefix()),
            Self::Take(under, or) => Change::TakeFirst { under: under.prefix(), or: or.map(Key::key) },
            Self::Gate { one, other, close, open, a, b } => {
                let pair = Participants::new(nth_user(one), nth_user(other)).expect("two users");
                let (ceiling_a, ceiling_b) = (ceiling(a), ceiling(b));
                Change::Gate(GateChange { pair, close, open, ceiling_a, ceiling_b })
            }
            Self::UserGate { user, close, ceiling } => {
                let ceiling = match ceiling {
                    Update::Keep => Update::Keep,
                    Update::Set(seq) => Update::Set(InboxSeq::new(seq)),
                    Update::Remove => Update::Remove,
                };
                Change::UserGate(UserGateChange { user: nth_user(user), close, ceiling })
            }
            Self::Post { .. } => return None,
        })
    }

    /// The post as the contract has it; `None` for a change.
    ///
    /// # Panics
    /// Panics for a device that is not in [`DEVICES`].
    #[must_use]
    pub fn post(self, now: i64) -> Option<Post> {
        let Self::Post { to, says, registration, origin } = self else { return None };
        Some(Post {
            to: nth_user(to),
            addressee: registration.map(Registration::new),
            origin: origin.map(|device| DEVICES[device].parse().expect("a device's name")),
            at: time(now),
            notice: build::notice(says),
        })
    }

    /// The number of the user whose inbox or gate it changes.
    pub(super) fn user(self) -> Option<u64> {
        match self {
            Self::UserGate { user, .. } | Self::Post { to: user, .. } => Some(user),
            _ => self.keys().into_iter().flatten().find_map(|key| match key.owner {
                OwnerOf::User(user) => Some(user),
                _ => None,
            }),
        }
    }

    /// The keys that it names.
    pub(super) fn keys(self) -> [Option<Key>; 2] {
        match self {
            Self::Put(put) | Self::Raise(put) => [Some(put.key), None],
            Self::Delete(key) | Self::Clear(key) => [Some(key), None],
            Self::Take(under, or) => [Some(under), or],
            Self::Gate { .. } | Self::UserGate { .. } | Self::Post { .. } => [None; 2],
        }
    }
}
