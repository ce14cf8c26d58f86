//! The rows of `keys` and `announcements`.

use dm_core::store::{KeyBinding, KeyRecord, KeyVersion, UserId, X25519Key};

use crate::codec::fields::Fields;
use crate::codec::keys::joined;
use crate::failure::Failure;

/// Encodes the value of a row of `keys`. The user and the version are in the row's key.
pub(crate) fn key_value(record: &KeyRecord) -> Vec<u8> {
    let mut value = Vec::with_capacity(41);
    value.extend(record.key.as_bytes());
    value.extend(record.published_at.as_millis().to_be_bytes());
    value.push(record.binding.code());
    value
}

/// Decodes a row of `keys`.
pub(crate) fn key_record(user: UserId, version: u32, mut value: Fields<'_>) -> Result<KeyRecord, Failure> {
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

/// A row of `announcements`: the conversations whose peers have not got the notice of a published
/// key yet.
#[derive(Clone, Copy)]
pub(crate) struct Announcement {
    /// The publisher's ref.
    pub(crate) user: u32,
    /// The ref of the last conversation whose peer has got the notice, zero before the first.
    pub(crate) after: u32,
    /// The ref of the last conversation whose peer is to get the notice.
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
