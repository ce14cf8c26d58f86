//! Why a message was not sealed or did not open.

use crate::entropy::EntropyError;

/// Sender and recipient are the same user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message goes from one user to another, not to oneself")]
pub struct SameParty;

/// Why a message was not encrypted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The context names another sender than the identity in use.
    #[error("the identity is not the sender that the context names")]
    NotTheSender,
    /// The message does not fit into a payload.
    #[error("the message has {len} bytes, at most {max} can be encrypted")]
    TooLong {
        /// Length of the plaintext, bytes.
        len: usize,
        /// The suite's limit, bytes.
        max: usize,
    },
    /// The agreement with the peer's key came out as zero.
    #[error("the peer's key is not fit for encryption")]
    UnfitKey,
    /// No randomness for the nonce.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// Why a message did not open. A retry never helps; another version of the peer's key may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The message is encrypted in a way that this version does not know.
    #[error("encryption suite {0} is not known here")]
    UnknownSuite(u32),
    /// The context names two other parties than the identity in use.
    #[error("the identity is not a party of the conversation")]
    NotAParty,
    /// The message is damaged, forged, from elsewhere, or made with other keys. Which of these is not told.
    #[error("the message does not open")]
    Refused,
}
