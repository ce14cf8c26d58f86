//! [`Fields`]: reads the fields of a row.

use dm_core::store::{Counts, DeviceId, InboxSeq, Tag, Timestamp, UserId};

use crate::failure::Failure;

/// The remaining bytes of a row, from which fields are read in their order. Too few or too many
/// bytes are a [`Failure::Damaged`].
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Reads the last field. Fails if bytes follow it.
    pub(crate) fn last<T>(
        mut self,
        field: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let value = field(&mut self)?;
        self.end()?;
        Ok(value)
    }

    /// Reads the last field. `None` if the row ends before this field, as rows of an older schema
    /// version do.
    pub(crate) fn optional_last<T>(
        self,
        field: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        if self.is_empty() { Ok(None) } else { self.last(field).map(Some) }
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Failure::Damaged("a row is too short"))?;
        self.0 = rest;
        Ok(*field)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Failure> {
        self.bytes().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Failure> {
        self.bytes().map(u32::from_be_bytes)
    }

    /// Reads past a ref whose value the caller does not need.
    pub(crate) fn skip_ref(&mut self) -> Result<(), Failure> {
        self.u32().map(drop)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Failure> {
        self.bytes().map(u64::from_be_bytes)
    }

    pub(crate) fn seq(&mut self) -> Result<InboxSeq, Failure> {
        self.u64().map(InboxSeq::new)
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, Failure> {
        self.u64().map(Timestamp::from_millis)
    }

    pub(crate) fn user(&mut self) -> Result<UserId, Failure> {
        self.bytes().map(UserId::from_stored)
    }

    pub(crate) fn tag(&mut self) -> Result<Tag, Failure> {
        self.bytes().map(Tag::from_bytes)
    }

    /// A number as unsigned LEB128.
    pub(super) fn leb128(&mut self) -> Result<u64, Failure> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7f);
            value |= part << shift;
            if byte < 0x80 {
                // The tenth byte has room for a single bit.
                return if value >> shift == part { Ok(value) } else { Err(WRONG_NUMBER) };
            }
        }
        Err(WRONG_NUMBER)
    }

    pub(crate) fn counts(&mut self) -> Result<Counts, Failure> {
        let (counts, rest) =
            Counts::decode(self.0).map_err(|_| Failure::Damaged("a row has counts that are not allowed"))?;
        self.0 = rest;
        Ok(counts)
    }

    /// All remaining bytes.
    pub(crate) const fn remaining(self) -> &'a [u8] {
        self.0
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn end(self) -> Result<(), Failure> {
        if self.0.is_empty() { Ok(()) } else { Err(Failure::Damaged("a row is too long")) }
    }

    pub(super) fn slice(&mut self, len: usize) -> Result<&'a [u8], Failure> {
        let (field, rest) = self.0.split_at_checked(len).ok_or(Failure::Damaged("a row is too short"))?;
        self.0 = rest;
        Ok(field)
    }
}

const WRONG_NUMBER: Failure = Failure::Damaged("a row has a number that is too large");

/// Appends a number as unsigned LEB128.
pub(super) fn push_leb128(value: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        value.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    value.push((number & 0x7f) as u8);
}

/// Decodes the name of a device.
pub(super) fn device(name: &[u8]) -> Result<DeviceId, Failure> {
    std::str::from_utf8(name)
        .ok()
        .and_then(|name| name.parse().ok())
        .ok_or(Failure::Damaged("a device has a name that is not allowed"))
}
