//! Public keys, parsed: a value of these types is fit for use.
//!
//! A user is named by an Ed25519 key, [`PublicKey`]; messages are encrypted to an X25519 key, [`AgreementKey`].
//! [`PublicKey::agreement_key`] leads from the one to the other.

mod agreement;
mod public;

pub use agreement::AgreementKey;
pub(crate) use agreement::agree;
pub use public::{InvalidSignature, PublicKey};

/// Why bytes or text are not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The text is not 64 hexadecimal digits.
    #[error("a key is written as 64 hexadecimal digits")]
    Text,
    /// The bytes are not the one canonical encoding of a point on the curve (RFC 8032 section 5.1.3).
    #[error("the key is not the canonical encoding of a point on the curve")]
    Encoding,
    /// The point has small order: every signature would fit it, every shared secret with it would be known.
    #[error("the key has small order")]
    SmallOrder,
}

/// Reads 64 hexadecimal digits, in either case.
fn from_hex(text: &str) -> Result<[u8; 32], InvalidKey> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| InvalidKey::Text)?;
    bytes.try_into().map_err(|_| InvalidKey::Text)
}

/// Names a key in `Debug` output: enough to tell keys apart, not the whole key.
fn fingerprint(f: &mut std::fmt::Formatter<'_>, name: &str, bytes: &[u8; 32]) -> std::fmt::Result {
    let [a, b, c, d, ..] = bytes;
    write!(f, "{name}({a:02x}{b:02x}{c:02x}{d:02x}…)")
}
