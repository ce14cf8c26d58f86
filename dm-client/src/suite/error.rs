//! [`SealError`] and [`OpenError`]: reasons why a message is not encrypted or not decrypted.

use crate::entropy::EntropyError;

/// Sender and recipient are the same user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sender and the recipient are the same user")]
pub struct SameParty;

/// The reason why a message was not encrypted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The identity is not the sender in the context.
    #[error("the identity is not the sender in the context")]
    NotTheSender,
    /// The plaintext does not fit into a payload.
    #[error("the message has {len} bytes, at most {max} can be encrypted")]
    TooLong {
        /// Length of the plaintext, in bytes.
        len: usize,
        /// The suite's limit, in bytes.
        max: usize,
    },
    /// The shared secret with the peer's key is zero.
    #[error("the peer's key gives a shared secret of zero")]
    UnfitKey,
    /// The source of randomness failed to give a nonce.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// The reason why a message was not decrypted. A retry fails again, but a retry with another
/// version of the peer's key may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// This version of the library does not know the cipher suite.
    #[error("cipher suite {0} is unknown to this version")]
    UnknownSuite(u32),
    /// The identity is neither the sender nor the recipient in the context.
    #[error("the identity is not a party of the conversation")]
    NotAParty,
    /// The message is damaged or forged, belongs to another context, or was encrypted with other
    /// keys. The cipher cannot distinguish these causes.
    #[error("the message does not decrypt")]
    Refused,
}
