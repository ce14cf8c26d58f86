//! Records, their keys and their due times as SQLite's values.

use bytes::Bytes;
use dm_core::store::{
    ConversationId, Kind, Name, Owner, Record, RecordKey, Revision, Tag, Timestamp, UserId,
};
use rusqlite::types::Type;
use rusqlite::{Result, Row};

use super::{damaged, fixed_blob, get_number};

/// The columns of a record in SQL, in the order in which [`get_record`] reads them. The alias `r` is
/// for `dm_records`.
pub(crate) const RECORD_COLUMNS: &str = "r.owner, r.kind, r.name, r.value, r.tag, r.due, r.revision";

/// The first byte of an owner in the column `owner`. The order of these blobs is that of [`Owner`].
const USER: u8 = 0;
const CONVERSATION: u8 = 1;
const STORE: u8 = 2;

/// The owner of a record as an SQL value: a byte for the kind of owner, and the owner's id.
#[derive(Clone, Copy)]
pub(crate) struct OwnerBytes {
    bytes: [u8; 33],
    len: usize,
}

impl OwnerBytes {
    pub(crate) fn new(owner: Owner) -> Self {
        let (kind, id): (u8, &[u8]) = match &owner {
            Owner::User(user) => (USER, user.as_bytes()),
            Owner::Conversation(conversation) => (CONVERSATION, conversation.as_bytes()),
            Owner::Store => (STORE, &[]),
        };
        let mut bytes = [kind; 33];
        for (byte, of_id) in bytes.iter_mut().skip(1).zip(id) {
            *byte = *of_id;
        }
        Self { bytes, len: 1 + id.len() }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

/// A due time as an SQL value. The order of these numbers is the order of all times.
pub(crate) fn due_to_i64(due: Timestamp) -> i64 {
    (due.as_millis() ^ (1 << 63)).cast_signed()
}

/// The reverse of [`due_to_i64`].
const fn due_from_i64(due: i64) -> Timestamp {
    Timestamp::from_millis(due.cast_unsigned() ^ (1 << 63))
}

/// A record from the columns of [`RECORD_COLUMNS`], which are the first ones of the row.
pub(crate) fn get_record(row: &Row<'_>) -> Result<Record> {
    let kind = row.get(1).map(Kind::from_stored)?;
    let due: Option<i64> = row.get(5)?;
    Ok(Record {
        key: RecordKey::new(get_owner(row, 0)?, kind, get_name(row, 2)?),
        value: Bytes::copy_from_slice(row.get_ref(3)?.as_blob()?),
        tag: Tag::from_bytes(fixed_blob(row, 4)?),
        due: due.map(due_from_i64),
        revision: Revision::new(get_number(row, 6)?),
    })
}

pub(crate) fn get_name(row: &Row<'_>, column: usize) -> Result<Name> {
    let bytes = Bytes::copy_from_slice(row.get_ref(column)?.as_blob()?);
    Name::new(bytes).map_err(|_| damaged(column, Type::Blob, "not the name of a record"))
}

/// A tag; `None` for NULL.
pub(crate) fn get_tag(row: &Row<'_>, column: usize) -> Result<Option<Tag>> {
    let bytes: Option<[u8; Tag::LEN]> = row.get(column)?;
    Ok(bytes.map(Tag::from_bytes))
}

fn get_owner(row: &Row<'_>, column: usize) -> Result<Owner> {
    let owner = match row.get_ref(column)?.as_blob()? {
        [USER, id @ ..] => id.try_into().ok().map(|id| Owner::User(UserId::from_stored(id))),
        [CONVERSATION, id @ ..] => {
            id.try_into().ok().map(|id| Owner::Conversation(ConversationId::from_bytes(id)))
        }
        [STORE] => Some(Owner::Store),
        _ => None,
    };
    owner.ok_or_else(|| damaged(column, Type::Blob, "not the owner of a record"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_and_due_times_keep_their_order() {
        let owners = [
            Owner::User(UserId::from_stored([1; 32])),
            Owner::User(UserId::from_stored([255; 32])),
            Owner::Conversation(ConversationId::from_bytes([0; 16])),
            Owner::Conversation(ConversationId::from_bytes([255; 16])),
            Owner::Store,
        ];
        for pair in owners.windows(2) {
            assert!(OwnerBytes::new(pair[0]).as_slice() < OwnerBytes::new(pair[1]).as_slice());
        }
        let times = [0, 1, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX].map(Timestamp::from_millis);
        for pair in times.windows(2) {
            assert!(due_to_i64(pair[0]) < due_to_i64(pair[1]));
        }
        assert!(times.iter().all(|at| due_from_i64(due_to_i64(*at)) == *at));
    }

    #[test]
    fn every_owner_is_read_back_and_other_bytes_are_refused() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let read =
            |bytes: &[u8]| connection.query_row("SELECT ?1", [bytes], |row| get_owner(row, 0)).map_err(drop);
        for owner in [
            Owner::User(UserId::from_stored([7; 32])),
            Owner::Conversation(ConversationId::from_bytes([8; 16])),
            Owner::Store,
        ] {
            assert_eq!(read(OwnerBytes::new(owner).as_slice()), Ok(owner));
        }
        for bytes in [&[][..], &[0], &[0; 32], &[1; 16], &[2, 0], &[3]] {
            assert_eq!(read(bytes), Err(()));
        }
    }
}
