//! [`open_writer`], which opens the connection that writes, and [`ReaderPool`], the connections
//! that read.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use dm_core::store::{StoreError, StoreErrorKind};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::config::{FileOwner, SqliteConfig};
use crate::database::Database;
use crate::error::from_sqlite;
use crate::schema;

/// The first version of SQLite without a race between WAL checkpoints and writers on other
/// connections, as SQLite numbers it (3.51.3).
const FIRST_WITHOUT_RACE: i32 = 3_051_003;

/// The page size of a file that the store creates, in bytes.
const PAGE_BYTES: i64 = 8_192;

/// The maximum number of prepared statements kept per connection. All statements of this crate fit.
///
/// # Why parameters are written `+?1`
///
/// For some parameters that are written `?1`, SQLite's planner looks at the bound value: in joins,
/// in ranges, and in conditions on columns with a partial index. Each time another value is bound,
/// SQLite parses and plans such a statement again (seen in 3.54). The plus sign prevents this.
/// Without it, parsing one look-up took a third of the time of a send, and two fifths of the time
/// of reading a page of an inbox. The test in `read/planning_tests.rs` fails when a statement is
/// planned again.
pub(crate) const CACHED_STATEMENTS: usize = 128;

/// The occasion on which a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// The host opens the store.
    First,
    /// The store opens its file again after an I/O error.
    Again,
}

/// Opens the connection that writes, and brings the schema up to date. A file that is opened
/// [again](Opening::Again) must have the current schema.
pub(crate) fn open_writer(
    path: &Path,
    config: &SqliteConfig,
    opening: Opening,
) -> Result<Database, StoreError> {
    if has_race(rusqlite::version_number()) {
        tracing::warn!(
            linked = rusqlite::version(),
            "SQLite before 3.51.3 can corrupt a database in WAL mode in rare cases; link a newer one"
        );
    }
    if config.owner == FileOwner::Store && opening == Opening::First {
        create_if_missing(path)?;
    }
    let connection = open(path, config, config.cache_bytes)?;
    let database = Database::new(connection, config.table_prefix.clone());
    // These checks only read: a file that is refused stays as it is.
    match opening {
        Opening::First => schema::examine(&database)?,
        Opening::Again => schema::expect_current(&database)?,
    }
    let connection = database.connection();
    match config.owner {
        FileOwner::Store => {
            // A file with this page size has a tenth less unused space than a file with SQLite's
            // default of 4 KiB. The pragma has an effect only while the file is empty.
            connection.pragma_update(None, "page_size", PAGE_BYTES).map_err(from_sqlite)?;
            run_journal_mode_pragma(connection, "PRAGMA journal_mode = WAL")?;
        }
        FileOwner::Host => run_journal_mode_pragma(connection, "PRAGMA journal_mode")?,
    }
    connection
        .execute_batch("PRAGMA synchronous = FULL")
        .and_then(|()| connection.pragma_update(None, "wal_autocheckpoint", config.checkpoint_pages))
        .map_err(from_sqlite)?;
    if let Some(pages) = config.max_pages {
        // The limit is a setting of this connection and is not stored in the file.
        connection
            .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
            .map_err(from_sqlite)?;
    }
    match opening {
        Opening::First => {
            schema::migrate(&database)?;
            if config.owner == FileOwner::Store {
                // The previous process may have ended after a failed sync: see
                // `checkpoint_whole_wal`. A passive checkpoint does not wait for other processes.
                connection
                    .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
                    .map_err(from_sqlite)?;
            }
        }
        Opening::Again => checkpoint_whole_wal(connection)?,
    }
    Ok(database)
}

/// Runs a WAL checkpoint: copies the write-ahead log into the database file, syncs that file, and
/// truncates the log.
///
/// The checkpoint is needed after a failed `fsync`: Linux does not write the failed pages of the
/// log a second time, although they can be read from memory. The checkpoint writes these pages to
/// the database file and syncs that file.
///
/// While another process uses the file, the checkpoint copies as many pages as it can. It does not
/// copy a batch whose commit failed, because the index of the log, which the other process keeps in
/// shared memory, does not include such a batch.
fn checkpoint_whole_wal(connection: &Connection) -> Result<(), StoreError> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(from_sqlite)
}

/// Whether this version of SQLite has the race described at [`FIRST_WITHOUT_RACE`].
const fn has_race(version: i32) -> bool {
    version < FIRST_WITHOUT_RACE
}

/// The connections that read. They are opened with the store and kept open, so that a read works
/// even if the process cannot open any more files. A lost connection is opened again by the next
/// read that needs it.
pub(crate) struct ReaderPool {
    path: PathBuf,
    config: SqliteConfig,
    state: Mutex<PoolState>,
    /// Wakes a waiting read when a connection returns to the pool or is lost.
    returned: Condvar,
}

struct PoolState {
    idle: Vec<Database>,
    /// The number of open connections, idle and in use.
    open: usize,
}

/// A connection in use. Dropping this value returns the connection to the pool.
pub(crate) struct PooledReader<'a> {
    pool: &'a ReaderPool,
    /// `None` while the connection is being opened, and if opening it failed.
    connection: Option<Database>,
}

impl ReaderPool {
    pub(crate) fn open(path: &Path, config: &SqliteConfig) -> Result<Self, StoreError> {
        let idle =
            (0..config.readers.get()).map(|_| open_reader(path, config)).collect::<Result<Vec<_>, _>>()?;
        let state = Mutex::new(PoolState { open: idle.len(), idle });
        Ok(Self { path: path.to_owned(), config: config.clone(), state, returned: Condvar::new() })
    }

    /// The maximum number of connections.
    pub(crate) const fn size(&self) -> NonZeroUsize {
        self.config.readers
    }

    /// Runs a read on a snapshot of the database. Waits while all connections are in use.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Database) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let pooled = self.acquire()?;
        let database = pooled.connection.as_ref().ok_or(StoreErrorKind::Closed)?;
        // In a deferred transaction all statements see the same snapshot and do not wait for the
        // writer. Dropping `_snapshot` ends the transaction.
        let _snapshot = database.transaction(TransactionBehavior::Deferred).map_err(from_sqlite)?;
        read(database).map_err(from_sqlite)
    }

    fn acquire(&self) -> Result<PooledReader<'_>, StoreError> {
        let mut state = self.lock();
        loop {
            if let Some(connection) = state.idle.pop() {
                return Ok(PooledReader { pool: self, connection: Some(connection) });
            }
            if state.open < self.config.readers.get() {
                state.open += 1;
                drop(state);
                // If opening fails, dropping `pooled` corrects the count.
                let mut pooled = PooledReader { pool: self, connection: None };
                pooled.connection = Some(open_reader(&self.path, &self.config)?);
                return Ok(pooled);
            }
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, PoolState> {
        // No code panics while it holds this lock, so a poisoned lock has a complete state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PooledReader<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        match self.connection.take() {
            Some(connection) => state.idle.push(connection),
            None => state.open -= 1,
        }
        drop(state);
        self.pool.returned.notify_one();
    }
}

/// Opens a connection that reads.
fn open_reader(path: &Path, config: &SqliteConfig) -> Result<Database, StoreError> {
    let connection = open(path, config, config.cache_bytes / 8)?;
    // The first read opens the write-ahead log. It runs now, so that later reads open no file.
    connection
        .execute_batch("PRAGMA query_only = ON")
        .and_then(|()| connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())))
        .map_err(from_sqlite)?;
    Ok(Database::new(connection, config.table_prefix.clone()))
}

/// Opens a connection to an existing file, with a page cache of `cache_bytes`.
fn open(path: &Path, config: &SqliteConfig, cache_bytes: usize) -> Result<Connection, StoreError> {
    // Without SQLITE_OPEN_CREATE a missing file is an error. Without SQLITE_OPEN_URI a path that
    // begins with `file:` is not read as a URI.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(from_sqlite)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    let kibibytes = i64::try_from(cache_bytes / 1024).unwrap_or(i64::MAX);
    connection
        .busy_timeout(config.busy_timeout)
        // A negative size is in KiB, a positive one in pages.
        .and_then(|()| connection.pragma_update(None, "cache_size", -kibibytes))
        .map_err(from_sqlite)?;
    Ok(connection)
}

/// Creates an empty file with access for the process's user only. Does nothing if the file exists.
/// SQLite gives the write-ahead log the same permissions.
fn create_if_missing(path: &Path) -> Result<(), StoreError> {
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

/// Runs `pragma`, which returns the journal mode, and logs a warning if the mode is not WAL.
fn run_journal_mode_pragma(connection: &Connection, pragma: &str) -> Result<(), StoreError> {
    let mode: String = connection.query_row(pragma, [], |row| row.get(0)).map_err(from_sqlite)?;
    if !mode.eq_ignore_ascii_case("wal") {
        tracing::warn!(
            mode,
            "the database is not in WAL mode: commits are slower, and reads and commits wait for each other"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pragma(database: &Database, name: &str) -> i64 {
        database.connection().query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap()
    }

    /// A new file in a temporary folder: the folder, the path, the writer and the readers.
    fn opened(config: &SqliteConfig) -> (tempfile::TempDir, PathBuf, Database, ReaderPool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dm.db");
        let database = open_writer(&path, config, Opening::First).unwrap();
        let readers = ReaderPool::open(&path, config).unwrap();
        (folder, path, database, readers)
    }

    #[test]
    fn versions_before_3_51_3_have_the_race() {
        assert!(has_race(3_051_002));
        assert!(!has_race(3_051_003));
    }

    #[test]
    fn the_configuration_sets_caches_syncs_and_checkpoints() {
        let config = SqliteConfig { cache_bytes: 8 << 20, checkpoint_pages: 77, ..SqliteConfig::default() };
        let (_folder, _, writer, readers) = opened(&config);
        // Negative sizes are in KiB. Mode 2 is FULL.
        assert_eq!(pragma(&writer, "cache_size"), -8_192);
        assert_eq!([pragma(&writer, "synchronous"), pragma(&writer, "wal_autocheckpoint")], [2, 77]);
        assert_eq!(pragma(&writer, "page_size"), 8_192);
        let pooled = readers.acquire().unwrap();
        let reader = pooled.connection.as_ref().unwrap();
        assert_eq!([pragma(reader, "cache_size"), pragma(reader, "query_only")], [-1_024, 1]);
    }

    #[test]
    fn a_lost_connection_is_opened_again_by_the_next_read() {
        let config = SqliteConfig { readers: NonZeroUsize::MIN, ..SqliteConfig::default() };
        let (_folder, path, writer, readers) = opened(&config);
        let lose = || readers.acquire().unwrap().connection = None;
        lose();
        drop(readers.acquire().unwrap());
        lose();
        drop(writer);
        let elsewhere = path.with_extension("moved");
        std::fs::rename(&path, &elsewhere).unwrap();
        for _ in 0..2 {
            assert!(readers.acquire().is_err());
        }
        std::fs::rename(&elsewhere, &path).unwrap();
        drop(readers.acquire().unwrap());
        let state = readers.lock();
        assert_eq!((state.open, state.idle.len()), (1, 1));
    }
}
