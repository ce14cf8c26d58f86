//! [`Refusal`], the reason why a store did not do a write.

use bytes::Bytes;

use crate::invalid::Invalid;
use crate::numbers::{InboxSeq, Revision};
use crate::record::{Record, Tag};
use crate::time::Timestamp;
use crate::user::UserId;

/// The reason why a write was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The conversation does not exist, or the user is not in it.
    NotFound,
    /// The sender used the client message id before, for different content.
    ClientIdReused,
    /// A gate does not let the write through.
    Gate(GateRefusal),
    /// A condition of the write is not met.
    Unmet {
        /// The index of the condition in [`Write::expects`](crate::store::Write::expects): the
        /// first that is not met.
        which: usize,
        /// The record that the condition is about, as it is now; `None` if there is none, and for a
        /// condition that is not about one record. Of a fence it is the record of the fence.
        current: Option<CurrentRecord>,
    },
    /// The user has as many devices as the write's limit allows.
    TooManyDevices,
    /// The device is not registered.
    UnknownDevice,
    /// A post is addressed to a registration that the user does not have.
    UnknownRegistration {
        /// The index of the post in [`Write::posts`](crate::store::Write::posts).
        which: usize,
    },
    /// An acknowledgement names an entry beyond the newest.
    BeyondHead {
        /// The number of the newest entry.
        head: InboxSeq,
    },
    /// More records are to be cleared than one write may remove.
    TooManyRecords,
    /// The write itself is not acceptable, whatever is stored.
    Invalid(Invalid),
    /// The disk has too little free space for the write: less than the store's reserve.
    NoRoom,
    /// The store does not know this kind of action.
    Unsupported,
}

/// The gate that did not let a write through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GateRefusal {
    /// The gate of the pair is closed.
    Closed {
        /// The bits that close it.
        bits: u8,
    },
    /// The message is above the sender's ceiling in this conversation.
    Ceiling,
    /// The gate of one of the users is closed.
    UserClosed {
        /// The user.
        user: UserId,
    },
    /// The entry is above the ceiling of a user's inbox.
    UserCeiling {
        /// The user.
        user: UserId,
    },
}

/// The present record that an unmet condition is about.
#[derive(Clone, PartialEq, Eq)]
pub struct CurrentRecord {
    /// Its value; `None` if it is longer than [`MAX_VALUE`](Self::MAX_VALUE). Read it then.
    pub value: Option<Bytes>,
    /// Its tag.
    pub tag: Tag,
    /// The time at which it is due.
    pub due: Option<Timestamp>,
    /// The owner's revision of its last change.
    pub revision: Revision,
}

impl CurrentRecord {
    /// Maximum length of a value that a refusal has, in bytes.
    pub const MAX_VALUE: usize = 4096;
}

impl From<Record> for CurrentRecord {
    fn from(record: Record) -> Self {
        let Record { key: _, value, tag, due, revision } = record;
        Self { value: (value.len() <= Self::MAX_VALUE).then_some(value), tag, due, revision }
    }
}

/// The length of the value only, because a value may be personal data.
impl std::fmt::Debug for CurrentRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CurrentRecord")
            .field("value_len", &self.value.as_ref().map(Bytes::len))
            .field("tag", &self.tag)
            .field("due", &self.due)
            .field("revision", &self.revision)
            .finish()
    }
}
