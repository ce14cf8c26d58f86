//! [`InvalidKey`] and [`InvalidSignature`]: reasons why a key or a signature is refused.

/// The reason why bytes or text are not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The text is not 64 hexadecimal digits.
    #[error("a key is written as 64 hexadecimal digits")]
    Text,
    /// The bytes are not the canonical encoding of a point on the curve (RFC 8032, section 5.1.3).
    #[error("the key is not the canonical encoding of a point on the curve")]
    Encoding,
    /// The point has small order. Anybody could make a signature that is valid under such a key,
    /// and could compute the shared secret with it.
    #[error("the key has small order")]
    SmallOrder,
}

/// The signature was not made over this message by this user's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not valid for this message and this key")]
pub struct InvalidSignature;
