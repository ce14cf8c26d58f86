//! From what stands on the wire to values that are fit for use. Every conversion checks all it passes on.

pub(crate) mod frames;
pub(crate) mod json;

use uuid::Uuid;

use crate::keys::PublicKey;

/// A part of an answer that is not what the protocol says; names the field, never the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// The hyphenated form of a UUID, the only one on this wire.
pub(crate) fn uuid(field: &'static str, text: &str) -> Result<Uuid, Malformed> {
    if text.len() != 36 {
        return Err(Malformed(field));
    }
    Uuid::try_parse(text).map_err(|_| Malformed(field))
}

fn user(field: &'static str, text: &str) -> Result<PublicKey, Malformed> {
    text.parse().map_err(|_| Malformed(field))
}

fn fixed<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], Malformed> {
    bytes.try_into().map_err(|_| Malformed(field))
}
