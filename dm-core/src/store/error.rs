//! [`StoreError`], the error of a call of a store, and its kinds.

use std::fmt;
use std::sync::Arc;

/// An error of a [`Store`](crate::store::Store). Clones share the cause, because each caller of a
/// failed batch gets a clone.
#[derive(Clone, Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of [`StoreError`]: one for each case that callers or operators handle differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store cannot be reached or is too busy. The same call may succeed later.
    Unavailable,
    /// The disk has too little free space.
    Full,
    /// Another process has the store open.
    Locked,
    /// The data is damaged, or is not that of this store.
    Corrupt,
    /// The database has tables of another program under the library's names. Nothing was changed.
    ForeignTables,
    /// A newer version of the library wrote the data. Nothing was changed.
    NewerSchema,
    /// It is not known whether a commit happened. After this error an embedded store refuses all
    /// work until it is reopened. A store that opened its files itself reopens without the host.
    OutcomeUnknown,
    /// The store is closed, or refuses all work after an unknown outcome until the process opens it
    /// again.
    Closed,
    /// Any other error of the engine.
    Engine,
}

impl StoreError {
    /// An error with its cause, such as the engine's own error.
    #[must_use]
    pub fn new(kind: StoreErrorKind, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { kind, source: Some(Arc::from(source.into())) }
    }

    /// The kind of the error.
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
            StoreErrorKind::Full => "the disk of the store has too little free space",
            StoreErrorKind::Locked => "another process has the store open",
            StoreErrorKind::Corrupt => "the store's data is damaged",
            StoreErrorKind::ForeignTables => {
                "the database has tables of another program under the store's names"
            }
            StoreErrorKind::NewerSchema => "a newer version of the library wrote the store's data",
            StoreErrorKind::OutcomeUnknown => "it is not known whether the commit happened",
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
