//! The text form of a key as 64 hexadecimal digits, and its short form in `Debug` output.

use std::fmt;

use super::error::InvalidKey;

/// Parses 64 hexadecimal digits, in upper or lower case.
pub(super) fn from_hex(text: &str) -> Result<[u8; 32], InvalidKey> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| InvalidKey::Text)?;
    bytes.try_into().map_err(|_| InvalidKey::Text)
}

/// Writes the `Debug` form of a key: the name of its type and its first four bytes, which are
/// enough to distinguish keys in a log.
pub(super) fn debug_prefix(f: &mut fmt::Formatter<'_>, name: &str, bytes: &[u8; 32]) -> fmt::Result {
    let [a, b, c, d, ..] = bytes;
    write!(f, "{name}({a:02x}{b:02x}{c:02x}{d:02x}…)")
}
