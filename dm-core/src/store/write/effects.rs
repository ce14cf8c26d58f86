//! [`Change`] and [`Post`], the effects of a write beside its action.

use bytes::Bytes;

use crate::device::DeviceId;
use crate::inbox::Notice;
use crate::numbers::Registration;
use crate::record::{Prefix, RecordKey, Tag};
use crate::store::gate::{GateChange, UserGateChange};
use crate::time::Timestamp;
use crate::user::UserId;

/// A change of records or gates. The changes of a write are made in their order, after its action.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Stores a record, in place of the one with the same key.
    Put(Put),
    /// As [`Put`](Self::Put), but only if there is no record with this key, or its value is smaller
    /// by the order of bytes. Otherwise nothing changes. Used for positions that only move forward:
    /// several writes of one batch may raise the same record.
    Raise(Put),
    /// Removes a record, if there is one. The removal of a synced record with a value takes the next
    /// revision of its owner, and the owner's floor of revisions becomes that revision: a device
    /// that has an older revision has to read all records again. To delete a synced record so that
    /// devices learn of it, put the empty value, and remove the record later: that raises the floor
    /// to the revision of the empty value.
    Delete(RecordKey),
    /// Removes the records under a prefix, each as [`Delete`](Self::Delete) does, in the order of
    /// their names. At most [`MAX_CLEARED`](Self::MAX_CLEARED); a write that would remove more is
    /// refused as [`Refusal::TooManyRecords`](crate::store::Refusal::TooManyRecords).
    Clear(Prefix),
    /// Removes the first record under a prefix and returns it ([`Done::taken`](super::Done::taken)).
    /// If there is none, returns the record with the key `or` and keeps it.
    TakeFirst {
        /// The records of which one is taken.
        under: Prefix,
        /// The record to return if there is none.
        or: Option<RecordKey>,
    },
    /// Changes the gate of a pair of users.
    Gate(GateChange),
    /// Changes the gate of one user.
    UserGate(UserGateChange),
}

impl Change {
    /// Maximum number of records that one [`Clear`](Self::Clear) removes.
    pub const MAX_CLEARED: usize = 1024;
}

/// A record to store.
#[derive(Clone, PartialEq, Eq)]
pub struct Put {
    /// The key.
    pub key: RecordKey,
    /// The value: at most [`Record::MAX_VALUE`](crate::record::Record::MAX_VALUE) bytes.
    pub value: Bytes,
    /// The state of the record afterwards. A random tag makes the write repeatable: a write whose
    /// record is there already, with tag and value, is [found](super::Done::is_found).
    pub tag: Tag,
    /// The time at which something is to be done with the record, which
    /// [`Scan::Due`](crate::store::Scan::Due) finds; `None` if nothing is.
    pub due: Option<Timestamp>,
}

impl Put {
    /// A record that is never due.
    #[must_use]
    pub const fn new(key: RecordKey, value: Bytes, tag: Tag) -> Self {
        Self { key, value, tag, due: None }
    }
}

/// The length of the value only, because a value may be personal data.
impl std::fmt::Debug for Put {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Put")
            .field("key", &self.key)
            .field("value_len", &self.value.len())
            .field("tag", &self.tag)
            .field("due", &self.due)
            .finish()
    }
}

/// An entry to append to a user's inbox. The entries of a write are appended in their order, after
/// its action and its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The owner of the inbox.
    pub to: UserId,
    /// The registration that the entry is for; `None` if it is for all devices. A post to a
    /// registration that the user does not have is refused as
    /// [`Refusal::UnknownRegistration`](crate::store::Refusal::UnknownRegistration).
    pub addressee: Option<Registration>,
    /// The device of the inbox's owner that causes the entry; `None` if none does. The entry is not
    /// pending for that device.
    pub origin: Option<DeviceId>,
    /// The time of the entry.
    pub at: Timestamp,
    /// The event.
    pub notice: Notice,
}
