//! Maps redb's errors to those of `dm-core`.

use std::io::ErrorKind;

use dm_core::store::{StoreError, StoreErrorKind};
use dm_store_kv::Failure;
use redb::Error;

/// Maps an error of redb in a read or in the writes of a batch.
pub(crate) fn to_failure(error: impl Into<Error>) -> Failure {
    Failure::Engine(from_redb(error))
}

/// Maps an error of redb. For an error of a commit, see [`from_commit`]. redb's errors contain no
/// keys and values.
pub(crate) fn from_redb(error: impl Into<Error>) -> StoreError {
    let error = error.into();
    let kind = match &error {
        Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch => StoreErrorKind::Locked,
        // A damaged file, an older file format, or a missing table.
        Error::Corrupted(_) | Error::UpgradeRequired(_) | Error::TableDoesNotExist(_) => {
            StoreErrorKind::Corrupt
        }
        // A table with other types of keys and values than the library's. redb's error names the
        // table.
        Error::TableTypeMismatch { .. }
        | Error::TableIsMultimap(_)
        | Error::TableIsNotMultimap(_)
        | Error::TypeDefinitionChanged { .. } => StoreErrorKind::ForeignTables,
        Error::RepairAborted | Error::TransactionInProgress | Error::WouldBlock => {
            StoreErrorKind::Unavailable
        }
        // After an error of the file, redb refuses all calls until the file is opened again.
        Error::PreviousIo | Error::DatabaseClosed => StoreErrorKind::Closed,
        Error::Io(io) => match io.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                StoreErrorKind::Full
            }
            // The file is not a database, or it was cut short.
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

/// Maps an error of a commit. redb documents that a commit may be durable although it returned an
/// error. This includes the error that the disk is full.
pub(crate) fn from_commit(error: impl Into<Error>) -> StoreError {
    StoreError::new(StoreErrorKind::OutcomeUnknown, error.into())
}

#[cfg(test)]
mod tests {
    use std::io;

    use redb::StorageError;

    use super::*;

    /// The kind of the mapped I/O error.
    fn io_error_kind(kind: ErrorKind) -> StoreErrorKind {
        from_redb(StorageError::Io(io::Error::from(kind))).kind()
    }

    #[test]
    fn each_error_has_the_kind_that_callers_match_on() {
        assert_eq!(io_error_kind(ErrorKind::StorageFull), StoreErrorKind::Full);
        assert_eq!(io_error_kind(ErrorKind::InvalidData), StoreErrorKind::Corrupt);
        assert_eq!(io_error_kind(ErrorKind::PermissionDenied), StoreErrorKind::Unavailable);
        assert_eq!(io_error_kind(ErrorKind::Other), StoreErrorKind::Engine);
        let kind = |error: Error| from_redb(error).kind();
        assert_eq!(kind(Error::DatabaseAlreadyOpen), StoreErrorKind::Locked);
        assert_eq!(kind(Error::PreviousIo), StoreErrorKind::Closed);
        assert_eq!(kind(Error::RepairAborted), StoreErrorKind::Unavailable);
        assert_eq!(kind(Error::Corrupted(String::new())), StoreErrorKind::Corrupt);
    }

    #[test]
    fn a_failed_commit_is_unknown_even_on_a_full_disk() {
        let full = StorageError::Io(ErrorKind::StorageFull.into());
        assert_eq!(from_commit(full).kind(), StoreErrorKind::OutcomeUnknown);
    }
}
