//! Keys that users published, and who is still to be told.

use dm_core::store::{KeyBinding, KeyRecord, KeyVersion, UserId, X25519Key};

use crate::codec::fields::Fields;
use crate::codec::keys::joined;
use crate::failure::Failure;

/// A key record of a user by its version, and the value of its row.
pub(crate) fn key_value(record: &KeyRecord) -> Vec<u8> {
    let mut value = Vec::with_capacity(41);
    value.extend(record.key.as_bytes());
    value.extend(record.published_at.as_millis().to_be_bytes());
    value.push(record.binding.code());
    value
}

/// The reverse of [`key_value`].
pub(crate) fn key_record(user: UserId, version: u32, mut value: Fields<'_>) -> Result<KeyRecord, Failure> {
    Ok(KeyRecord {
        user,
        key: X25519Key::from_stored(value.bytes()?),
        version: KeyVersion::new(version).map_err(|_| Failure::Damaged("no key version"))?,
        published_at: value.time()?,
        binding: KeyBinding::from_code(value.last(Fields::u8)?).ok_or(Failure::Damaged("no key binding"))?,
    })
}

/// A publication whose peers are not all told.
#[derive(Clone, Copy)]
pub(crate) struct Announcement {
    pub(crate) user: u32,
    /// Conversations up to this one are done.
    pub(crate) after: u32,
    pub(crate) until: u32,
}

impl Announcement {
    pub(crate) fn encode(self) -> [u8; 12] {
        joined([self.user.to_be_bytes().as_slice(), &self.after.to_be_bytes(), &self.until.to_be_bytes()])
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        Ok(Self { user: value.u32()?, after: value.u32()?, until: value.last(Fields::u32)? })
    }
}
