//! SQLite's errors as the core's.

use dm_core::{StoreError, StoreErrorKind};
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
