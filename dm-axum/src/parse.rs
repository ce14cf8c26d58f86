//! Converts values from the wire to the core's types. A wrong value is a problem.

use axum::body::Bytes;
use dm_core::{Ciphertext, Suite, UserId};

use crate::problem::Problem;

/// Builds a ciphertext from its fields. An empty ephemeral key means that there is none, as in the
/// protobuf messages. `suite` is the tag of the cipher suite; 0 means that none is named. These
/// rules hold for both transports, so a send that is repeated over the other one is the same send.
pub(crate) fn ciphertext(
    payload: Bytes,
    nonce: &[u8],
    ephemeral: &[u8],
    suite: u32,
) -> Result<Ciphertext, Problem> {
    let ephemeral = Some(ephemeral).filter(|key| !key.is_empty());
    let suite = Some(Suite(suite)).filter(|Suite(tag)| *tag != 0);
    // Only lengths are checked here, and a wrong length is a malformed value.
    Ciphertext::new(payload, nonce, ephemeral, suite)
        .map_err(|invalid| Problem::malformed(invalid.field(), invalid.reason()))
}

/// Parses the user in a field: 64 hexadecimal digits of an Ed25519 public key.
pub(crate) fn user(field: &'static str, text: &str) -> Result<UserId, Problem> {
    if !is_hex64(text) {
        return Err(Problem::malformed(field, "not 64 hexadecimal digits"));
    }
    text.parse::<UserId>().map_err(|invalid| Problem::not_acceptable(field, invalid.reason()))
}

pub(crate) fn is_hex64(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// Parses the id in a field: a UUID in its hyphenated form.
pub(crate) fn id<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::malformed(field, "not a UUID"))
}
