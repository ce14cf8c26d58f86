//! fjall's errors as the core's.

use std::io::ErrorKind;

use dm_core::store::{StoreError, StoreErrorKind};
use dm_store_kv::Failure;
use fjall::{Error, LsmError};

/// A read or a batch that fails because of the engine.
pub(crate) fn failed(error: Error) -> Failure {
    Failure::Engine(from_fjall(error))
}

/// What fjall reports, except from a commit: after one that failed, [`from_commit`] is what is
/// known. Keys and values are not part of it.
pub(crate) fn from_fjall(error: Error) -> StoreError {
    let kind = match &error {
        Error::Locked => StoreErrorKind::Locked,
        // fjall refuses all writes after an error of its files, until it is opened again.
        Error::Poisoned | Error::KeyspaceDeleted => StoreErrorKind::Closed,
        Error::JournalRecovery(_)
        // An older format of files is none of this store's.
        | Error::InvalidVersion(_)
        | Error::Decompress(_)
        | Error::InvalidTrailer
        | Error::InvalidTag(_)
        | Error::Unrecoverable => StoreErrorKind::Corrupt,
        Error::Io(io) | Error::Storage(LsmError::Io(io)) => of_io(io.kind()),
        Error::Storage(_) => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Engine,
    };
    StoreError::new(kind, error)
}

/// A commit that failed. Whether what the journal took of it becomes durable is not known, whatever
/// the error, a full disk included. Only a batch that fjall did not begin with, because one before
/// failed, is known to be gone.
pub(crate) fn from_commit(error: Error) -> StoreError {
    match error {
        Error::Poisoned => from_fjall(error),
        error => StoreError::new(StoreErrorKind::OutcomeUnknown, error),
    }
}

fn of_io(kind: ErrorKind) -> StoreErrorKind {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => StoreErrorKind::Full,
        // A file that ends too early, that is missing, or that is there although the database is
        // not.
        ErrorKind::InvalidData
        | ErrorKind::UnexpectedEof
        | ErrorKind::NotFound
        | ErrorKind::IsADirectory
        | ErrorKind::AlreadyExists => StoreErrorKind::Corrupt,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Engine,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn full() -> Error {
        Error::Io(io::Error::from(ErrorKind::StorageFull))
    }

    #[test]
    fn somebody_acts_differently_on_each_kind() {
        let kind = |error: Error| from_fjall(error).kind();
        let in_a_tree = |kind: ErrorKind| Error::Storage(LsmError::Io(io::Error::from(kind)));
        assert_eq!(kind(full()), StoreErrorKind::Full);
        assert_eq!(kind(in_a_tree(ErrorKind::StorageFull)), StoreErrorKind::Full);
        assert_eq!(kind(in_a_tree(ErrorKind::UnexpectedEof)), StoreErrorKind::Corrupt);
        assert_eq!(kind(in_a_tree(ErrorKind::PermissionDenied)), StoreErrorKind::Unavailable);
        assert_eq!(kind(in_a_tree(ErrorKind::Other)), StoreErrorKind::Engine);
        assert_eq!(kind(Error::Storage(LsmError::InvalidTrailer)), StoreErrorKind::Corrupt);
        assert_eq!(kind(Error::Unrecoverable), StoreErrorKind::Corrupt);
        assert_eq!(kind(Error::Locked), StoreErrorKind::Locked);
        assert_eq!(kind(Error::Poisoned), StoreErrorKind::Closed);
    }

    #[test]
    fn a_failed_commit_is_unknown_even_on_a_full_disk() {
        assert_eq!(from_commit(full()).kind(), StoreErrorKind::OutcomeUnknown);
    }

    #[test]
    fn a_commit_after_a_failed_one_is_known_to_be_refused() {
        assert_eq!(from_commit(Error::Poisoned).kind(), StoreErrorKind::Closed);
    }
}
