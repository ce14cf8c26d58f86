//! The version of the rows' bytes.

use dm_core::store::{StoreError, StoreErrorKind};

/// The version of the bytes that this crate writes, which [`tables`](crate::tables) describes. Rows
/// of all earlier versions are read as well.
///
/// - 1: the first version.
/// - 2: the row of a conversation's id holds the participants. The row of a conversation's id and
///   the row of a floor may also hold a note, which is a copy of the newest number. Rows of version
///   1 stay as they are until they are written again.
/// - 3: records, in the tables `records`, `due` and `revisions`. [`Migration`](crate::Migration)
///   moves the rows of the tables `keys` and `announcements` into them, gives the rows of `members`
///   other keys, and numbers devices without gaps. The rows of messages, conversations and users
///   may have more fields; those without stay as they are until they are written again.
///
/// An engine stores a version in its own row of the table [`schema`](crate::Tables::schema), and
/// refuses to open a database with a higher version ([`refuse_newer`]). An engine with rows or
/// tables of its own counts its own version, and increments it whenever this version changes.
pub const SCHEMA_VERSION: u32 = 3;

/// Returns `found`, the version that a database has. Fails if it is higher than `known`, the
/// highest version that the engine can read.
///
/// # Errors
/// [`StoreErrorKind::NewerSchema`].
pub fn refuse_newer(found: u32, known: u32) -> Result<u32, StoreError> {
    if found > known {
        let newer =
            format!("the database has schema version {found}, this library knows versions up to {known}");
        return Err(StoreError::new(StoreErrorKind::NewerSchema, newer));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_above_the_known_version_is_refused() {
        assert_eq!(refuse_newer(0, 2).unwrap(), 0);
        assert_eq!(refuse_newer(2, 2).unwrap(), 2);
        assert_eq!(refuse_newer(3, 2).unwrap_err().kind(), StoreErrorKind::NewerSchema);
    }
}
