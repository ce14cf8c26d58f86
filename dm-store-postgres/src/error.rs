//! PostgreSQL's errors as the core's.

use std::fmt;

use deadpool_postgres::PoolError;
use dm_core::store::{StoreError, StoreErrorKind};
use tokio_postgres::error::SqlState;

/// What stops a read or a batch.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The server, or the connection to it.
    Postgres(tokio_postgres::Error),
    /// A row that the library did not write.
    Corrupt(&'static str),
    /// No connection.
    Pool(StoreError),
    /// The server did not answer in time, and may do anything with what was sent.
    Timeout,
    /// Another commit came between; the batch is to be tried again.
    Conflict,
}

/// What the server said, without the parts that may hold the values of a row.
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
            PoolError::Timeout(_) => StoreError::new(StoreErrorKind::Unavailable, "no connection in time"),
            PoolError::Closed => StoreErrorKind::Closed.into(),
            PoolError::NoRuntimeSpecified => {
                StoreError::new(StoreErrorKind::Engine, "the pool has no runtime")
            }
            PoolError::PostCreateHook(_) => {
                StoreError::new(StoreErrorKind::Engine, "a new connection was refused")
            }
        })
    }
}

impl Fault {
    /// Whether the same batch may go well when it is tried again: nothing of it is committed.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Postgres(_) if self.has_lost_marker() => true,
            Self::Postgres(error) => error.code().is_some_and(|code| {
                *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
            }),
            Self::Conflict => true,
            Self::Corrupt(_) | Self::Pool(_) | Self::Timeout => false,
        }
    }

    /// Whether a batch failed because its slot was removed; see `write::slot`.
    pub(crate) fn has_lost_marker(&self) -> bool {
        matches!(self, Self::Postgres(error) if error.code() == Some(&SqlState::DIVISION_BY_ZERO))
    }
}

/// While nothing of the batch is committed.
impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Postgres(error) => from_postgres(error),
            Fault::Corrupt(what) => Self::new(StoreErrorKind::Corrupt, what),
            Fault::Pool(error) => error,
            Fault::Timeout => Self::new(StoreErrorKind::Unavailable, "no answer in time"),
            Fault::Conflict => Self::new(StoreErrorKind::Unavailable, "other commits came between every time"),
        }
    }
}

pub(crate) fn from_postgres(error: tokio_postgres::Error) -> StoreError {
    let Some(reported) = error.as_db_error() else {
        // Conversions fail with the names of types and columns, all else with what the network said.
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

/// What may go well later, or on another server of the same database.
fn is_temporary(code: &SqlState) -> bool {
    // Connection exceptions, transactions given up, lack of resources, and an operator's intervention.
    let classes = ["08", "40", "53", "57"];
    classes.iter().any(|class| code.code().starts_with(class))
        || [SqlState::LOCK_NOT_AVAILABLE, SqlState::READ_ONLY_SQL_TRANSACTION].contains(code)
}
