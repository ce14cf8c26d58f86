//! [`Fault`], the errors within this crate, and their conversion to [`StoreError`].

use std::fmt;

use deadpool_postgres::PoolError;
use dm_core::store::{StoreError, StoreErrorKind};
use tokio_postgres::error::SqlState;

/// An error that ends a read or an attempt at a batch.
#[derive(Debug)]
pub(crate) enum Fault {
    /// An error of the server, or of the connection to it.
    Postgres(tokio_postgres::Error),
    /// A row holds a value that the library cannot have written. The text describes the value.
    Corrupt(&'static str),
    /// The caller asks for something that this version of the store does not know.
    Unsupported(&'static str),
    /// The pool gave no connection.
    Pool(StoreError),
    /// The server did not answer in time. It may still run the statements that were sent.
    Timeout,
    /// Another transaction added a row that the batch needs, after the rows to lock were chosen. A
    /// new attempt at the batch finds the row.
    Conflict,
}

/// The message of a server error, without the parts that may hold values of rows.
#[derive(Debug)]
struct ServerMessage {
    code: String,
    message: String,
}

impl fmt::Display for ServerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.code)
    }
}

impl std::error::Error for ServerMessage {}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Self {
        Self::Pool(match error {
            PoolError::Backend(error) => from_postgres(error),
            PoolError::Timeout(_) => {
                StoreError::new(StoreErrorKind::Unavailable, "no connection became free in time")
            }
            PoolError::Closed => StoreErrorKind::Closed.into(),
            PoolError::NoRuntimeSpecified => {
                StoreError::new(StoreErrorKind::Engine, "the connection pool has no runtime")
            }
            PoolError::PostCreateHook(_) => {
                StoreError::new(StoreErrorKind::Engine, "a new connection failed its check")
            }
        })
    }
}

impl Fault {
    /// Whether the same batch may succeed in a new attempt. Called only if nothing of the batch is
    /// committed.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Postgres(_) if self.has_lost_marker() => true,
            Self::Postgres(error) => error.code().is_some_and(|code| {
                *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
            }),
            Self::Conflict => true,
            Self::Corrupt(_) | Self::Unsupported(_) | Self::Pool(_) | Self::Timeout => false,
        }
    }

    /// Whether a batch failed because its commit marker was deleted or changed. The statement
    /// `ADVANCE` then divides by zero: see `write/commit_marker.rs`.
    pub(crate) fn has_lost_marker(&self) -> bool {
        matches!(self, Self::Postgres(error) if error.code() == Some(&SqlState::DIVISION_BY_ZERO))
    }
}

/// Converts the error of a read, or of a batch of which nothing is committed.
impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Postgres(error) => from_postgres(error),
            Fault::Corrupt(what) => Self::new(StoreErrorKind::Corrupt, what),
            Fault::Unsupported(what) => Self::new(StoreErrorKind::Engine, what),
            Fault::Pool(error) => error,
            Fault::Timeout => Self::new(StoreErrorKind::Unavailable, "the server did not answer in time"),
            Fault::Conflict => {
                Self::new(StoreErrorKind::Unavailable, "every attempt conflicted with other transactions")
            }
        }
    }
}

/// Converts an error of the server, or of the connection to it. The result does not hold the parts
/// of the server's message that may name values of rows.
pub(crate) fn from_postgres(error: tokio_postgres::Error) -> StoreError {
    let Some(reported) = error.as_db_error() else {
        // The text of a failed conversion holds names of types and columns only. All other errors
        // without a message of the server are treated as failures of the connection.
        let kind = if error.to_string().starts_with("error deserializing") {
            StoreErrorKind::Corrupt
        } else {
            StoreErrorKind::Unavailable
        };
        return StoreError::new(kind, error);
    };
    let code = reported.code();
    let kind = if *code == SqlState::DISK_FULL {
        StoreErrorKind::Full
    } else if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(code) {
        StoreErrorKind::Corrupt
    } else if is_temporary(code) {
        StoreErrorKind::Unavailable
    } else {
        StoreErrorKind::Engine
    };
    let (code, message) = (code.code().to_owned(), reported.message().to_owned());
    StoreError::new(kind, ServerMessage { code, message })
}

/// Whether the same statement may succeed later, or on another server of the same database.
fn is_temporary(code: &SqlState) -> bool {
    // The classes of SQLSTATE codes: connection exceptions, transaction rollbacks, insufficient
    // resources, operator intervention.
    let classes = ["08", "40", "53", "57"];
    classes.iter().any(|class| code.code().starts_with(class))
        || [SqlState::LOCK_NOT_AVAILABLE, SqlState::READ_ONLY_SQL_TRANSACTION].contains(code)
}
