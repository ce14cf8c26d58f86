//! SQLite's errors as the core's.

use dm_core::store::{StoreError, StoreErrorKind};
use rusqlite::ErrorCode;

/// What SQLite reports, while nothing of the batch is committed. Values bound to statements are not part of it.
pub(crate) fn from_sqlite(error: rusqlite::Error) -> StoreError {
    let kind = match &error {
        rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DiskFull => StoreErrorKind::Full,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::CannotOpen => {
                StoreErrorKind::Unavailable
            }
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreErrorKind::Corrupt,
            _ => StoreErrorKind::Engine,
        },
        // A row that does not hold what was written into it.
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::QueryReturnedNoRows => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Engine,
    };
    StoreError::new(kind, error)
}

/// Whether a failed `COMMIT` is known to have committed nothing. SQLite keeps the transaction open when it could not
/// get its lock, and has not written the commit record when the disk is full. Of anything else, a failed fsync above
/// all, nobody can tell what is in the file.
pub(crate) fn did_not_commit(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull)
    )
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn failure(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn errors_say_whether_waiting_helps_and_whether_the_file_is_damaged() {
        for (code, kind) in [
            (ffi::SQLITE_FULL, StoreErrorKind::Full),
            (ffi::SQLITE_BUSY, StoreErrorKind::Unavailable),
            (ffi::SQLITE_LOCKED, StoreErrorKind::Unavailable),
            (ffi::SQLITE_CANTOPEN, StoreErrorKind::Unavailable),
            (ffi::SQLITE_CORRUPT, StoreErrorKind::Corrupt),
            (ffi::SQLITE_NOTADB, StoreErrorKind::Corrupt),
            (ffi::SQLITE_IOERR, StoreErrorKind::Engine),
        ] {
            assert_eq!(from_sqlite(failure(code)).kind(), kind, "{code}");
        }
        assert_eq!(from_sqlite(rusqlite::Error::QueryReturnedNoRows).kind(), StoreErrorKind::Corrupt);
        assert_eq!(from_sqlite(rusqlite::Error::InvalidQuery).kind(), StoreErrorKind::Engine);
    }

    #[test]
    fn a_commit_that_failed_to_sync_may_have_happened() {
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_LOCKED, ffi::SQLITE_FULL] {
            assert!(did_not_commit(&failure(code)), "{code}");
        }
        for code in [ffi::SQLITE_IOERR, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_CORRUPT] {
            assert!(!did_not_commit(&failure(code)), "{code}");
        }
    }
}
