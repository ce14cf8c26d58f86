//! The translation of fjall's errors to those of `dm-core`.

use std::io::ErrorKind;

use dm_core::store::{StoreError, StoreErrorKind};
use dm_store_kv::Failure;
use fjall::{Error, LsmError};

/// Converts an error of fjall in a read or a batch.
pub(crate) fn to_failure(error: Error) -> Failure {
    Failure::Engine(from_fjall(error))
}

/// Converts an error of fjall. [`from_commit`] converts errors of a commit. fjall's errors contain
/// no keys and no values.
pub(crate) fn from_fjall(error: Error) -> StoreError {
    let kind = match &error {
        Error::Locked => StoreErrorKind::Locked,
        // fjall refuses all writes after an error of its files, until it is opened again.
        Error::Poisoned | Error::KeyspaceDeleted => StoreErrorKind::Closed,
        Error::JournalRecovery(_)
        // The store has never used another format of files, so this version is wrong bytes.
        | Error::InvalidVersion(_)
        | Error::Decompress(_)
        | Error::InvalidTrailer
        | Error::InvalidTag(_)
        | Error::Unrecoverable => StoreErrorKind::Corrupt,
        Error::Io(io) | Error::Storage(LsmError::Io(io)) => io_error_kind(io.kind()),
        Error::Storage(_) => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Engine,
    };
    StoreError::new(kind, error)
}

/// Converts an error of a commit. After any error, even on a full disk, the journal may have the
/// batch, and the batch may become durable. The exception is [`Error::Poisoned`]: after an earlier
/// failure fjall does not begin to write the batch.
pub(crate) fn from_commit(error: Error) -> StoreError {
    match error {
        Error::Poisoned => from_fjall(error),
        error => StoreError::new(StoreErrorKind::OutcomeUnknown, error),
    }
}

/// The kind of an error of the operating system.
fn io_error_kind(kind: ErrorKind) -> StoreErrorKind {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => StoreErrorKind::Full,
        // In this order: a file of fjall has wrong bytes, is too short, is missing, is a folder, or
        // exists where fjall wants to create one.
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
    fn each_error_has_the_kind_that_callers_match_on() {
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
    fn a_commit_after_a_failed_one_is_refused() {
        assert_eq!(from_commit(Error::Poisoned).kind(), StoreErrorKind::Closed);
    }
}
