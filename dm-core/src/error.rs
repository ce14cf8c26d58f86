//! [`Error`], the reason why a call of the service failed, and [`Retry`], which tells whether a
//! repeated call can succeed.

use std::time::Duration;

use crate::directory::DirectoryError;
use crate::invalid::Invalid;
use crate::key::KeyRecord;
use crate::numbers::InboxSeq;
use crate::store::{StoreError, StoreErrorKind};

/// The reason why a call failed. Nothing was stored, except perhaps after
/// [`OutcomeUnknown`](Error::OutcomeUnknown).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The requested item does not exist, or the caller may not see it. The error does not tell
    /// which of the two is the case.
    #[error("not found")]
    NotFound,
    /// A value is not acceptable. [`Invalid`] has the field and the reason.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A value is larger than the configuration allows.
    #[error("{field} is larger than {limit}")]
    TooLarge {
        /// The field's name on the wire.
        field: &'static str,
        /// The largest acceptable size: bytes for payloads, items for lists.
        limit: usize,
    },
    /// The same sender used the client message id before, for different content.
    #[error("client_message_id was used before for different content")]
    ClientIdReused,
    /// The key version that the sender named is not the recipient's current one.
    #[error("the named key version is not the recipient's current one")]
    StaleKey {
        /// The recipient's current key; `None` when the recipient has published none.
        current: Option<Box<KeyRecord>>,
    },
    /// One of the two users, or the host, does not let the caller send to this user now.
    #[error("the caller may not send to this user now")]
    NotAllowed,
    /// What the call depends on has changed since it was read. Nothing was stored.
    #[error("what the call depends on has changed")]
    Conflict,
    /// The user has as many devices as the configuration allows.
    #[error("a user may have {limit} devices")]
    TooManyDevices {
        /// Maximum number of devices of a user.
        limit: usize,
    },
    /// An acknowledgement names an entry that does not exist yet.
    #[error("acknowledged beyond the newest entry, {head}")]
    BeyondHead {
        /// The number of the newest entry in the user's inbox.
        head: InboxSeq,
    },
    /// The service is shutting down. Nothing was stored.
    #[error("shutting down")]
    ShuttingDown,
    /// The store cannot answer now. Nothing was stored.
    #[error("the store is unavailable")]
    Unavailable(#[source] StoreError),
    /// The user directory cannot answer now. Nothing was stored.
    #[error("the user directory is unavailable")]
    DirectoryUnavailable(#[from] DirectoryError),
    /// The write may or may not have been stored. Sending again with the same client message id
    /// tells which, and never stores the message twice.
    #[error("it is not known whether the write was stored")]
    OutcomeUnknown(#[source] StoreError),
}

/// Whether the same request can succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request will fail again.
    Never,
    /// The same request may succeed after this time, which is one second for every error.
    After(Duration),
}

impl Error {
    /// Whether the same request can succeed later.
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
            | Self::NotAllowed
            | Self::Conflict
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
