//! [`ReadError`]: the reason why a [`Reader`] refuses a message.

#[cfg(doc)]
use super::message_reader::Reader;
use crate::ids::MessageId;
use crate::suite::OpenError;

/// The reason why a [`Reader`] does not return a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The sender, according to the server, is neither the user nor the peer; or the peer is the
    /// user.
    #[error("the sender is not a party of the conversation")]
    NotAParty,
    /// The message does not decrypt.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The client message id from the server differs from the one inside the ciphertext.
    #[error("the client message id differs from the one inside the ciphertext")]
    Renamed,
    /// The message is in a weaker suite than the peer has used before, so the server may have
    /// forged the message from old ones. [`Reader::open_downgraded`] opens it.
    #[error("the message is in a weaker cipher suite than the peer has used")]
    Downgraded,
    /// The server repeats a message under another id or number.
    #[error("the message repeats an earlier one")]
    Repeated {
        /// The id of the earlier message.
        first: MessageId,
    },
}
