//! The rows of the table `keys`, which schema versions 1 and 2 have.

use dm_core::store::{KeyBinding, KeyRecord, KeyVersion, UserId, X25519Key};

use crate::codec::fields::Fields;
use crate::failure::Failure;

/// Decodes a row: a user's X25519 key 32, the time of publication 8, and the binding's code 1. The
/// user's ref and the version are in the row's key.
pub(crate) fn old_key_record(
    user: UserId,
    version: u32,
    mut value: Fields<'_>,
) -> Result<KeyRecord, Failure> {
    Ok(KeyRecord {
        user,
        key: X25519Key::from_stored(value.bytes()?),
        version: KeyVersion::new(version)
            .map_err(|_| Failure::Damaged("a key has a version that does not exist"))?,
        published_at: value.time()?,
        binding: KeyBinding::from_code(value.last(Fields::u8)?)
            .ok_or(Failure::Damaged("a key has an unknown binding"))?,
    })
}
