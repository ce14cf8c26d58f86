//! The errors of calls.

use std::time::Duration;

use crate::directory::DirectoryError;
use crate::invalid::Invalid;
use crate::key::KeyRecord;
use crate::numbers::InboxSeq;
use crate::store::{StoreError, StoreErrorKind};

/// Why a call did not do what was asked. Unless it is [`OutcomeUnknown`](Error::OutcomeUnknown), nothing was stored.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such thing, or not the caller's to see: the two are told apart nowhere.
    #[error("not found")]
    NotFound,
    /// A value is well-formed but not acceptable.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A value is larger than the configuration allows.
    #[error("{field} is larger than {limit}")]
    TooLarge {
        /// The field, as it is called on the wire.
        field: &'static str,
        /// The largest acceptable size: bytes for payloads, items for lists.
        limit: usize,
    },
    /// The client message id was used before by the same sender, for different content.
    #[error("client_message_id was used before for different content")]
    ClientIdReused,
    /// The key version that the sender named is not the recipient's current one.
    #[error("the recipient's key is another version than the one named")]
    StaleKey {
        /// The recipient's current key; `None` when they have published none.
        current: Option<Box<KeyRecord>>,
    },
    /// The user has as many devices as the configuration allows.
    #[error("a user may have {limit} devices")]
    TooManyDevices {
        /// The limit.
        limit: usize,
    },
    /// An acknowledgement names an entry that does not exist yet.
    #[error("acknowledged beyond the newest entry, {head}")]
    BeyondHead {
        /// The newest entry of the user's inbox.
        head: InboxSeq,
    },
    /// The service is shutting down; nothing was stored.
    #[error("shutting down")]
    ShuttingDown,
    /// The store cannot do it now; nothing was stored.
    #[error("unavailable")]
    Unavailable(#[source] StoreError),
    /// The directory cannot tell now; nothing was stored.
    #[error("the directory of people is unavailable")]
    DirectoryUnavailable(#[from] DirectoryError),
    /// It may or may not have been stored, and nobody can tell now. Asking again with the same client message id
    /// resolves it without doubling.
    #[error("the outcome is unknown")]
    OutcomeUnknown(#[source] StoreError),
}

/// Whether asking again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request will be refused again.
    Never,
    /// The same request may succeed after this long.
    After(Duration),
}

impl Error {
    /// Whether asking again with the same request can help.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::ShuttingDown
            | Self::Unavailable(_)
            | Self::DirectoryUnavailable(_)
            | Self::OutcomeUnknown(_) => Retry::After(Duration::from_secs(1)),
            Self::NotFound
            | Self::Invalid(_)
            | Self::TooLarge { .. }
            | Self::ClientIdReused
            | Self::StaleKey { .. }
            | Self::TooManyDevices { .. }
            | Self::BeyondHead { .. } => Retry::Never,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::OutcomeUnknown => Self::OutcomeUnknown(error),
            _ => Self::Unavailable(error),
        }
    }
}
