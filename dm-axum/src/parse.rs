//! Converts values from the wire to the core's types. A wrong value becomes a [`Problem`].

use axum::body::Bytes;
use dm_core::{Ciphertext, Suite, UserId};

use crate::problem::Problem;

/// Builds a ciphertext from its fields. An empty ephemeral key means that there is none. `suite` is
/// the tag of the cipher suite, and 0 means that the sender named none.
///
/// REST and the WebSocket both call this function. A client can therefore send a message over one
/// of them, repeat the send over the other one, and the core recognizes the repeated send.
pub(crate) fn ciphertext(
    payload: Bytes,
    nonce: &[u8],
    ephemeral: &[u8],
    suite: u32,
) -> Result<Ciphertext, Problem> {
    let ephemeral = Some(ephemeral).filter(|key| !key.is_empty());
    let suite = Some(Suite(suite)).filter(|Suite(tag)| *tag != 0);
    // `Ciphertext::new` checks only lengths, and a wrong length is a malformed value (400).
    Ciphertext::new(payload, nonce, ephemeral, suite)
        .map_err(|invalid| Problem::malformed(invalid.field(), invalid.reason()))
}

/// Parses a user: the 64 hexadecimal digits of an Ed25519 public key. `field` is the name of the
/// field, for the problem.
pub(crate) fn user(field: &'static str, text: &str) -> Result<UserId, Problem> {
    if !is_hex64(text) {
        return Err(Problem::malformed(field, "not 64 hexadecimal digits"));
    }
    text.parse::<UserId>().map_err(|invalid| Problem::not_acceptable(field, invalid.reason()))
}

/// Whether a text is 64 hexadecimal digits, in upper or lower case.
pub(crate) fn is_hex64(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// Parses an id: a UUID in its hyphenated form. `field` is the name of the field, for the problem.
pub(crate) fn id<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::malformed(field, "not a UUID"))
}
