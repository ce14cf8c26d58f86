//! The keys and rows of `records`, `due` and `revisions`.
//!
//! The order of the keys' bytes is the order of [`RecordKey`]. So the owner comes first, with a byte
//! for what it is, then the kind, and the name last: a name that is the start of another one is
//! below it, as long as nothing follows the name.

use bytes::Bytes;
use dm_core::store::{
    ConversationId, Kind, Name, Owner, Prefix, Record, RecordKey, Revision, Tag, Timestamp,
};

use crate::codec::fields::Fields;
use crate::failure::Failure;

/// The maximum length of a bound of a prefix, in bytes: a byte for the kind of owner, the longest
/// owner, the kind, and one byte more than the longest name.
const PREFIX_BOUND_LEN: usize = 1 + 32 + 2 + Name::MAX_LEN + 1;

// The kinds of owners, in the order of `Owner`.
const USER: u8 = 1;
const CONVERSATION: u8 = 2;
const STORE: u8 = 3;

/// A key in `records`.
pub(crate) fn record_key(key: &RecordKey) -> Vec<u8> {
    let mut bytes = group_key(key.owner, key.kind);
    bytes.extend(key.name.as_bytes());
    bytes
}

/// The first bytes of the keys of all records of an owner and a kind.
pub(crate) fn group_key(owner: Owner, kind: Kind) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PREFIX_BOUND_LEN);
    push_owner(&mut bytes, owner);
    bytes.extend(kind.get().to_be_bytes());
    bytes
}

/// The bound below the keys of all records under a prefix: the first bytes of these keys.
pub(crate) fn prefix_key(prefix: &Prefix) -> Vec<u8> {
    let mut bytes = group_key(prefix.owner, prefix.kind);
    bytes.extend(prefix.name.as_bytes());
    bytes
}

/// The bound above the keys of all records under a prefix, which is longer than any of them.
pub(crate) fn end_of_prefix(prefix: &Prefix) -> Vec<u8> {
    let mut bytes = prefix_key(prefix);
    let missing = (Name::MAX_LEN + 1).saturating_sub(prefix.name.as_bytes().len());
    bytes.resize(bytes.len() + missing, u8::MAX);
    bytes
}

/// The lowest bound above a key, for a walk that begins after the key.
pub(crate) fn after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// A key in `due`, which is ordered by kind, due time and key.
pub(crate) fn due_key(kind: Kind, due: Timestamp, owner: Owner, name: &Name) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + PREFIX_BOUND_LEN);
    bytes.extend(kind.get().to_be_bytes());
    bytes.extend(due.as_millis().to_be_bytes());
    push_owner(&mut bytes, owner);
    bytes.extend(name.as_bytes());
    bytes
}

/// Decodes a key in `due`: the key of the record, and its due time.
pub(crate) fn due_key_and_time(key: &[u8]) -> Result<(RecordKey, Timestamp), Failure> {
    let mut key = Fields::new(key);
    let (kind, due) = (kind(&mut key)?, key.time()?);
    let owner = owner(&mut key)?;
    Ok((RecordKey::new(owner, kind, name(key)?), due))
}

/// The value of a row of `revisions`: the kind and the name of a user's record.
pub(crate) fn revision_value(key: &RecordKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2 + key.name.as_bytes().len());
    bytes.extend(key.kind.get().to_be_bytes());
    bytes.extend(key.name.as_bytes());
    bytes
}

/// Decodes the value of a row of `revisions`, whose owner is `owner`.
pub(crate) fn revision_row(owner: Owner, mut value: Fields<'_>) -> Result<RecordKey, Failure> {
    Ok(RecordKey::new(owner, kind(&mut value)?, name(value)?))
}

/// A row of `records`.
pub(crate) struct RecordRow {
    tag: Tag,
    revision: Revision,
    due: Option<Timestamp>,
    value: Bytes,
}

// Whether a row has a due time.
const NOT_DUE: u8 = 0;
const DUE: u8 = 1;

impl RecordRow {
    pub(crate) fn encode(record: &Record) -> Vec<u8> {
        let mut value = Vec::with_capacity(33 + record.value.len());
        value.extend(record.tag.as_bytes());
        value.extend(record.revision.get().to_be_bytes());
        match record.due {
            None => value.push(NOT_DUE),
            Some(due) => {
                value.push(DUE);
                value.extend(due.as_millis().to_be_bytes());
            }
        }
        value.extend_from_slice(&record.value);
        value
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        let (tag, revision) = (value.tag()?, Revision::new(value.u64()?));
        let due = match value.u8()? {
            NOT_DUE => None,
            DUE => Some(value.time()?),
            _ => return Err(Failure::Damaged("a record has an unknown form")),
        };
        Ok(Self { tag, revision, due, value: Bytes::copy_from_slice(value.remaining()) })
    }

    /// The record with this row, whose key is `key`.
    pub(crate) fn with_key(self, key: RecordKey) -> Record {
        let Self { tag, revision, due, value } = self;
        Record { key, value, tag, due, revision }
    }
}

fn push_owner(bytes: &mut Vec<u8>, owner: Owner) {
    match owner {
        Owner::User(user) => {
            bytes.push(USER);
            bytes.extend(user.as_bytes());
        }
        Owner::Conversation(id) => {
            bytes.push(CONVERSATION);
            bytes.extend(id.as_bytes());
        }
        Owner::Store => bytes.push(STORE),
    }
}

fn owner(key: &mut Fields<'_>) -> Result<Owner, Failure> {
    match key.u8()? {
        USER => key.user().map(Owner::User),
        CONVERSATION => key.bytes().map(ConversationId::from_bytes).map(Owner::Conversation),
        STORE => Ok(Owner::Store),
        _ => Err(Failure::Damaged("a record has an unknown owner")),
    }
}

fn kind(key: &mut Fields<'_>) -> Result<Kind, Failure> {
    key.bytes().map(u16::from_be_bytes).map(Kind::from_stored)
}

/// Decodes a name from the remaining bytes.
pub(crate) fn name(key: Fields<'_>) -> Result<Name, Failure> {
    Name::new(Bytes::copy_from_slice(key.remaining()))
        .map_err(|_| Failure::Damaged("a record has a name that is too long"))
}
