//! Why something failed.

use dm_core::store::{StoreError, StoreErrorKind};

/// Why a read or a batch failed while nothing of the batch was committed.
#[derive(Debug)]
pub enum Failure {
    /// The engine says so.
    Engine(StoreError),
    /// A row does not hold what the library writes into it.
    Damaged(&'static str),
    /// More users, conversations or devices than their numbers can tell apart.
    Exhausted,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Engine(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Engine(error) => error,
            Failure::Damaged(what) => Self::new(StoreErrorKind::Corrupt, what),
            Failure::Exhausted => Self::new(StoreErrorKind::Full, "no number is left"),
        }
    }
}
