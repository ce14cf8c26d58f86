//! The error of a read or a batch.

use dm_core::store::{Stop, StoreError, StoreErrorKind};

/// The error of a read or of a batch. If a batch fails, the engine must commit nothing of this
/// batch.
#[derive(Debug)]
pub enum Failure {
    /// An error of the engine.
    Engine(StoreError),
    /// A row has bytes that the library does not write. The text tells an operator what is wrong.
    Damaged(&'static str),
    /// All refs or row numbers are used, so that no other user, conversation, device or message can
    /// be stored.
    Exhausted,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Engine(error)
    }
}

/// A failure in the checks of a write ends its batch.
impl From<Failure> for Stop<Failure> {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Engine(error) => error,
            Failure::Damaged(what) => Self::new(StoreErrorKind::Corrupt, what),
            Failure::Exhausted => Self::new(
                StoreErrorKind::Full,
                "no number is left for a new user, conversation, device or message",
            ),
        }
    }
}
