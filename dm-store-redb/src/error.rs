//! redb's errors as the core's.

use std::io::ErrorKind;

use dm_core::store::{StoreError, StoreErrorKind};
use dm_store_kv::Failure;
use redb::Error;

/// A read or a batch that fails because of the engine.
pub(crate) fn failed(error: impl Into<Error>) -> Failure {
    Failure::Engine(from_redb(error))
}

/// What redb reports, except from a commit: after one that failed, [`unknown`] is what is known.
/// Keys and values are not part of it.
pub(crate) fn from_redb(error: impl Into<Error>) -> StoreError {
    let error = error.into();
    let kind = match &error {
        Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch => StoreErrorKind::Locked,
        // An older format of files, or tables that are gone.
        Error::Corrupted(_) | Error::UpgradeRequired(_) | Error::TableDoesNotExist(_) => {
            StoreErrorKind::Corrupt
        }
        // Tables that are not as this library makes them. The error names the table.
        Error::TableTypeMismatch { .. }
        | Error::TableIsMultimap(_)
        | Error::TableIsNotMultimap(_)
        | Error::TypeDefinitionChanged { .. } => StoreErrorKind::ForeignTables,
        Error::RepairAborted | Error::TransactionInProgress | Error::WouldBlock => {
            StoreErrorKind::Unavailable
        }
        // redb refuses all work after an error of the file, until it is opened again.
        Error::PreviousIo | Error::DatabaseClosed => StoreErrorKind::Closed,
        Error::Io(io) => match io.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                StoreErrorKind::Full
            }
            // No database, or one that ends too early.
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => StoreErrorKind::Corrupt,
            ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::IsADirectory => {
                StoreErrorKind::Unavailable
            }
            _ => StoreErrorKind::Engine,
        },
        _ => StoreErrorKind::Engine,
    };
    StoreError::new(kind, error)
}

/// A commit that failed. redb documents that it may have become durable nevertheless, whatever the
/// error, a full disk included.
pub(crate) fn unknown(error: impl Into<Error>) -> StoreError {
    StoreError::new(StoreErrorKind::OutcomeUnknown, error.into())
}

#[cfg(test)]
mod tests {
    use std::io;

    use redb::StorageError;

    use super::*;

    fn of_io(kind: ErrorKind) -> StoreErrorKind {
        from_redb(StorageError::Io(io::Error::from(kind))).kind()
    }

    #[test]
    fn somebody_acts_differently_on_each_kind() {
        assert_eq!(of_io(ErrorKind::StorageFull), StoreErrorKind::Full);
        assert_eq!(of_io(ErrorKind::InvalidData), StoreErrorKind::Corrupt);
        assert_eq!(of_io(ErrorKind::PermissionDenied), StoreErrorKind::Unavailable);
        assert_eq!(of_io(ErrorKind::Other), StoreErrorKind::Engine);
        let kind = |error: Error| from_redb(error).kind();
        assert_eq!(kind(Error::DatabaseAlreadyOpen), StoreErrorKind::Locked);
        assert_eq!(kind(Error::PreviousIo), StoreErrorKind::Closed);
        assert_eq!(kind(Error::RepairAborted), StoreErrorKind::Unavailable);
        assert_eq!(kind(Error::Corrupted(String::new())), StoreErrorKind::Corrupt);
    }

    #[test]
    fn a_failed_commit_is_unknown_even_on_a_full_disk() {
        let full = StorageError::Io(ErrorKind::StorageFull.into());
        assert_eq!(unknown(full).kind(), StoreErrorKind::OutcomeUnknown);
    }
}
