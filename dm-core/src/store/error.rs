//! The errors of a store.

use std::fmt;
use std::sync::Arc;

/// An error of a [`Store`](crate::store::Store). Cheap to clone, because one failed batch answers
/// many callers.
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
