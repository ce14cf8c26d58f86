//! The conversion of SQLite's errors to [`StoreError`].

use dm_core::store::{StoreError, StoreErrorKind};
use rusqlite::ErrorCode;

/// Converts an error of SQLite in a read, or in a batch of which nothing is committed. The text of
/// the error does not contain values that were bound to statements.
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
        // A row does not have the form in which the library writes it.
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::QueryReturnedNoRows => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Engine,
    };
    StoreError::new(kind, error)
}

/// Whether it is certain that a failed `COMMIT` committed nothing.
///
/// If SQLite cannot lock the file, it keeps the transaction open. If the disk is full, SQLite has
/// not written the commit record. After any other error, for instance a failed fsync, the file may
/// hold the transaction or not.
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
    fn each_sqlite_error_becomes_the_fitting_kind_of_store_error() {
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
    fn only_a_busy_or_full_file_is_known_to_have_committed_nothing() {
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_LOCKED, ffi::SQLITE_FULL] {
            assert!(did_not_commit(&failure(code)), "{code}");
        }
        for code in [ffi::SQLITE_IOERR, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_CORRUPT] {
            assert!(!did_not_commit(&failure(code)), "{code}");
        }
    }
}
