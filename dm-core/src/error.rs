//! What can go wrong, for callers and for store authors.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{InboxSeq, KeyRecord};

/// Input that is not acceptable, naming the field and why; never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Invalid {
    field: &'static str,
    reason: &'static str,
}

impl Invalid {
    /// A refusal of a field for a reason.
    #[must_use]
    pub const fn new(field: &'static str, reason: &'static str) -> Self {
        Self { field, reason }
    }

    /// The field, as it is called on the wire.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.reason
    }
}

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
    /// The store or the directory cannot do it now; nothing was stored.
    #[error("unavailable")]
    Unavailable(#[source] StoreError),
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
            Self::ShuttingDown | Self::Unavailable(_) | Self::OutcomeUnknown(_) => {
                Retry::After(Duration::from_secs(1))
            }
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
        match error.kind {
            StoreErrorKind::OutcomeUnknown => Self::OutcomeUnknown(error),
            _ => Self::Unavailable(error),
        }
    }
}

/// What went wrong in a [`Store`](crate::Store). Cheap to clone, because one failed batch answers many callers.
#[derive(Clone, Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// Kinds of [`StoreError`], as far as somebody acts differently on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Cannot be reached or is too busy; later may go well.
    Unavailable,
    /// No room left.
    Full,
    /// Another process holds the file.
    Locked,
    /// The data is damaged, or is not this store's.
    Corrupt,
    /// The database holds tables of somebody else under the library's names; it was left untouched.
    ForeignTables,
    /// The data was written by a newer version of the library; it was left untouched.
    NewerSchema,
    /// A commit's outcome could not be learned. An embedded store refuses all work from here until
    /// it is reopened, which it does by itself if it opened its files itself.
    OutcomeUnknown,
    /// Closed, or refusing all work after an unknown outcome until the process opens it again.
    Closed,
    /// Anything else the engine reports.
    Engine,
}

impl StoreError {
    /// An error with what the engine said.
    #[must_use]
    pub fn new(kind: StoreErrorKind, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { kind, source: Some(Arc::from(source.into())) }
    }

    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl From<StoreErrorKind> for StoreError {
    fn from(kind: StoreErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Unavailable => "the store is unavailable",
            StoreErrorKind::Full => "the store has no room left",
            StoreErrorKind::Locked => "another process holds the store",
            StoreErrorKind::Corrupt => "the store's data is damaged",
            StoreErrorKind::ForeignTables => "the database has tables of others under the store's names",
            StoreErrorKind::NewerSchema => "the store was written by a newer version",
            StoreErrorKind::OutcomeUnknown => "a commit's outcome is unknown",
            StoreErrorKind::Closed => "the store is closed",
            StoreErrorKind::Engine => "the storage engine failed",
        })
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}
