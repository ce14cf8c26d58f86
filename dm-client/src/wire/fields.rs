//! Functions that check and convert a single field from the server.

use std::str::FromStr;

use crate::keys::KeyVersion;
use crate::time::Timestamp;

/// A field from the server does not follow the protocol. This error has the name of the field,
/// never its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Parses the text form of an id or a key.
pub(super) fn parse<T: FromStr>(field: &'static str, text: &str) -> Result<T, Malformed> {
    text.parse().map_err(|_| Malformed(field))
}

/// Returns the bytes as an array of `N` bytes. Fails if there are fewer or more.
pub(super) fn byte_array<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], Malformed> {
    bytes.try_into().map_err(|_| Malformed(field))
}

/// Returns a text, or `None` if it is empty. On the wire, an empty text means that there is no
/// value.
pub(super) fn optional_text(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Returns a time from Unix milliseconds, or `None` for zero. On the wire, zero means that there is
/// no value.
pub(super) fn optional_time(millis: u64) -> Option<Timestamp> {
    Some(millis).filter(|millis| *millis > 0).map(Timestamp::from_millis)
}

/// Returns the version of a key, or `None` for zero or no number. Both mean that the server does
/// not count versions.
pub(super) fn optional_version(number: Option<u32>) -> Option<KeyVersion> {
    number.and_then(KeyVersion::new)
}
