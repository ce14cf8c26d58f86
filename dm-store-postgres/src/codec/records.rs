//! Conversion of records, and of the parts of their keys.

use bytes::Bytes;
use dm_core::store::{ConversationId, Kind, Name, Owner, Prefix, Record, RecordKey, Revision, Tag, UserId};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::codec::{get_number, time_from_i64, uuid};
use crate::error::Fault;

/// The columns of a record in SQL, in the order in which [`get_record`] reads them. The alias `r` is
/// for the table `records`.
pub(crate) const RECORD_COLUMNS: &str = "r.owner, r.kind, r.name, r.value, r.tag, r.due, r.revision";

/// The first byte of the column `owner`. The numbers have the order of the core's [`Owner`].
const USER: u8 = 0;
const CONVERSATION: u8 = 1;
const STORE: u8 = 2;

/// An owner, as bytes that have the order of the core's owners.
pub(crate) fn owner(owner: Owner) -> Vec<u8> {
    let (form, id): (u8, &[u8]) = match &owner {
        Owner::User(user) => (USER, user.as_bytes()),
        Owner::Conversation(conversation) => (CONVERSATION, conversation.as_bytes()),
        Owner::Store => (STORE, &[]),
    };
    [&[form], id].concat()
}

/// The reverse of [`owner`].
fn decode_owner(bytes: &[u8]) -> Option<Owner> {
    match bytes.split_first()? {
        (&USER, id) => Some(Owner::User(UserId::from_stored(id.try_into().ok()?))),
        (&CONVERSATION, id) => Some(Owner::Conversation(ConversationId::from_bytes(id.try_into().ok()?))),
        (&STORE, []) => Some(Owner::Store),
        _ => None,
    }
}

/// The number of a kind, as the column `kind`.
pub(crate) fn kind(kind: Kind) -> i32 {
    i32::from(kind.get())
}

/// A tag, as a `uuid`.
pub(crate) const fn tag(tag: Tag) -> Uuid {
    uuid(tag.as_bytes())
}

fn get_tag(row: &Row, column: usize) -> Result<Tag, Fault> {
    Ok(Tag::from_bytes(row.try_get::<_, Uuid>(column)?.into_bytes()))
}

/// The fence in a column; `None` for NULL.
pub(crate) fn get_fence(row: &Row, column: usize) -> Result<Option<Tag>, Fault> {
    Ok(row.try_get::<_, Option<Uuid>>(column)?.map(|tag| Tag::from_bytes(tag.into_bytes())))
}

/// The names under a prefix and after a name, as a lower and an upper bound. The lower bound is
/// inclusive, the upper one exclusive.
pub(crate) fn name_bounds(prefix: &Prefix, after: Option<&Name>) -> (Vec<u8>, Vec<u8>) {
    let mut low = prefix.name.as_bytes().to_vec();
    if let Some(after) = after
        && after.as_bytes() >= low.as_slice()
    {
        // No name lies between `after` and these bytes.
        low = [after.as_bytes(), &[0]].concat();
    }
    // The bytes are longer than any name, so they are above all names with the prefix, and below all
    // later names.
    let mut high = prefix.name.as_bytes().to_vec();
    high.resize(Name::MAX_LEN + 1, u8::MAX);
    (low, high)
}

/// A record, from the columns of [`RECORD_COLUMNS`]. The first of them has the index `column`.
pub(crate) fn get_record(row: &Row, column: usize) -> Result<Record, Fault> {
    let invalid_key = || Fault::Corrupt("the key of a record is not valid");
    let owner = decode_owner(row.try_get(column)?).ok_or_else(invalid_key)?;
    let kind = u16::try_from(row.try_get::<_, i32>(column + 1)?).map_err(|_| invalid_key())?;
    let name = Name::new(row.try_get::<_, Vec<u8>>(column + 2)?).map_err(|_| invalid_key())?;
    Ok(Record {
        key: RecordKey::new(owner, Kind::from_stored(kind), name),
        value: Bytes::from(row.try_get::<_, Vec<u8>>(column + 3)?),
        tag: get_tag(row, column + 4)?,
        due: row.try_get::<_, Option<i64>>(column + 5)?.map(time_from_i64),
        revision: Revision::new(get_number(row, column + 6)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners() -> Vec<Owner> {
        let users = [[0; 32], [1; 32], [255; 32]].map(|id| Owner::User(UserId::from_stored(id)));
        let conversations =
            [[0; 16], [1; 16], [255; 16]].map(|id| Owner::Conversation(ConversationId::from_bytes(id)));
        users.into_iter().chain(conversations).chain([Owner::Store]).collect()
    }

    #[test]
    fn owners_round_trip_and_keep_their_order() {
        assert!(owners().is_sorted());
        let bytes: Vec<_> = owners().into_iter().map(owner).collect();
        assert!(bytes.is_sorted());
        let decoded: Vec<_> = bytes.iter().map(|bytes| decode_owner(bytes)).collect();
        assert_eq!(decoded, owners().into_iter().map(Some).collect::<Vec<_>>());
        for wrong in [&[][..], &[0; 32], &[0; 34], &[1; 16], &[2, 0], &[3]] {
            assert_eq!(decode_owner(wrong), None);
        }
    }

    #[test]
    fn the_bounds_of_names_are_those_under_the_prefix_and_after_the_name() {
        let names = [&b""[..], b"a", b"a\xff", b"ab", b"ab\0", b"ab\xff\xff", b"b", b"\xff", &[0xff; 96]];
        let names = names.map(|name| Name::new(name).unwrap());
        for prefix in &names {
            let prefix = Prefix { owner: Owner::Store, kind: Kind::FENCE, name: prefix.clone() };
            for after in names.iter().map(Some).chain([None]) {
                let (low, high) = name_bounds(&prefix, after);
                for name in &names {
                    let is_within = *name.as_bytes() >= *low && *name.as_bytes() < *high;
                    let key = RecordKey::new(Owner::Store, Kind::FENCE, name.clone());
                    let expected = prefix.contains(&key) && after.is_none_or(|after| name > after);
                    assert_eq!(is_within, expected, "{:?} {after:?} {name:?}", prefix.name);
                }
            }
        }
    }
}
