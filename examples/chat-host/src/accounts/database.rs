//! The file accounts.db, and calls of SQLite from async code.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use dm_core::store::{StoreError, StoreErrorKind};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tokio::sync::Mutex;

use super::HostIdentity;
use super::detached::detached;
use crate::challenge::ChallengeKey;

/// The migrations: the statement with index *n* takes the file from version *n* to *n* + 1.
const STEPS: [&str; 2] = [include_str!("file.sql"), include_str!("challenges.sql")];
const VERSION: i64 = 2;

/// A connection. Its calls run one at a time on the pool for blocking work.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    // The lock is async, so that waiting for it takes no thread.
    connection: Arc<Mutex<Connection>>,
}

impl Database {
    /// Opens the file and reads the host's identity. Makes the file, its tables and the identity if
    /// they are missing. Blocks.
    pub(crate) fn open(path: &Path) -> Result<(Self, HostIdentity), StoreError> {
        create(path)?;
        let mut connection = connect(path)?;
        prepare(&mut connection)?;
        let identity = connection
            .query_row("SELECT server_id, key FROM host, challenge_key", [], |row| {
                let (server_id, key): (String, _) = (row.get(0)?, row.get(1)?);
                Ok(HostIdentity {
                    server_id: server_id.into(),
                    challenge_key: ChallengeKey::from_stored(key),
                })
            })
            .map_err(engine)?;
        Ok((Self { connection: Arc::new(Mutex::new(connection)) }, identity))
    }

    /// Opens the existing file for reading. Blocks.
    pub(crate) fn open_for_reading(path: &Path) -> Result<Self, StoreError> {
        let connection = connect(path)?;
        // This read also opens the write-ahead log, so that later ones need no file descriptor.
        connection
            .execute_batch("PRAGMA query_only = ON")
            .and_then(|()| connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())))
            .map_err(engine)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs work on the connection. Work that has begun is completed even if the caller's future is
    /// dropped.
    ///
    /// A separate task waits for the lock. Locks are granted in order, even to a future that is not
    /// polled, and such a future would keep the lock.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = Arc::clone(&self.connection);
        detached(async move {
            let mut connection = connection.lock_owned().await;
            tokio::task::spawn_blocking(move || work(&mut connection))
                .await
                .map_err(|panicked| StoreError::new(StoreErrorKind::Engine, panicked))?
                .map_err(engine)
        })
        .await
    }
}

/// Makes an empty file that only its owner can read, unless the file exists.
fn create(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::new(StoreErrorKind::Unavailable, error)),
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(engine)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(engine)?;
    Ok(connection)
}

fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    let version = |connection: &Connection| -> rusqlite::Result<i64> {
        connection.query_row("PRAGMA user_version", [], |row| row.get(0))
    };
    let found = version(connection).map_err(engine)?;
    if found > VERSION {
        let what = format!("accounts.db has version {found}, and this host supports up to {VERSION}");
        return Err(StoreError::new(StoreErrorKind::NewerSchema, what));
    }
    // With WAL, a search can read during a write. With FULL, a committed token survives a power
    // cut.
    connection
        .query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
        .and_then(|()| connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON"))
        .map_err(engine)?;

    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(engine)?;
    // Another process may have migrated the file while this one waited for the lock.
    let found = version(&transaction).map_err(engine)?;
    let steps = STEPS.iter().skip(usize::try_from(found).unwrap_or(0));
    steps.copied().try_for_each(|step| transaction.execute_batch(step)).map_err(engine)?;
    let mut server_id = [0; 16];
    getrandom::fill(&mut server_id).map_err(super::no_randomness)?;
    let key = ChallengeKey::random().map_err(super::no_randomness)?;
    let host = "INSERT INTO host (id, server_id) VALUES (1, ?1) ON CONFLICT DO NOTHING";
    let challenges = "INSERT INTO challenge_key (id, key) VALUES (1, ?1) ON CONFLICT DO NOTHING";
    transaction
        .execute(host, [HEXLOWER.encode(&server_id)])
        .and_then(|_| transaction.execute(challenges, [key.as_bytes()]))
        .and_then(|_| transaction.pragma_update(None, "user_version", VERSION))
        .map_err(engine)?;
    transaction.commit().map_err(engine)
}

/// Converts an error of SQLite.
fn engine(error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreErrorKind::Locked,
        Some(ErrorCode::DiskFull) => StoreErrorKind::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreErrorKind::Corrupt,
        Some(ErrorCode::CannotOpen) => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Engine,
    };
    StoreError::new(kind, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_version_1_is_migrated_and_keeps_the_hosts_id_and_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.db");
        let older = Connection::open(&path).unwrap();
        older.execute_batch(STEPS[0]).unwrap();
        older.execute("INSERT INTO host (id, server_id) VALUES (1, 'old id')", []).unwrap();
        older.pragma_update(None, "user_version", 1).unwrap();
        drop(older);
        let open = || Database::open(&path).unwrap().1;
        let (first, second) = (open(), open());
        assert_eq!((&*first.server_id, &*second.server_id), ("old id", "old id"));
        assert_eq!(first.challenge_key.as_bytes(), second.challenge_key.as_bytes());
    }
}
