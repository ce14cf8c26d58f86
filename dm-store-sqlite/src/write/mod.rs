//! [`Writer`], the writes of the store. Each batch is one transaction.
//!
//! New inbox entries and messages are inserted into runs (small groups of new rows), and are merged
//! into the main tables later ([`recent`](crate::recent)). Parameters are written `+?1` for the
//! reason given at [`CACHED_STATEMENTS`](crate::connection::CACHED_STATEMENTS).

mod acknowledge;
mod append;
mod conversations;
mod devices;
mod expire;
mod gates;
mod heads;
mod inbox;
mod last_writer;
mod plan;
mod records;
mod rows;
mod statements;

use std::num::NonZeroUsize;

use dm_core::store::{ClientMessageId, Counts, EngineWriter, Outcome, StoreError, StoreErrorKind, Write};

use crate::config::SqliteConfig;
use crate::database::Database;
use crate::error::{did_not_commit, from_sqlite};
use crate::recent::RecentRows;
use heads::Heads;
use last_writer::LastWriter;
use statements::Statements;

/// The only connection of a store that writes, and the caches of its writes.
pub(crate) struct Writer {
    connection: Database,
    heads: Heads,
    /// The state of the runs. `None` before the first batch, after a failed batch, and after
    /// another writer's commit.
    recent: Option<RecentRows>,
    recent_entries: NonZeroUsize,
    last_writer: LastWriter,
}

/// The state that the writes of one batch use. `rows` has the methods that
/// [`Write::apply`] calls; the other files of this module have what they do.
struct Batch<'a> {
    connection: &'a Database,
    heads: &'a mut Heads,
    recent: &'a mut RecentRows,
    statements: Statements<'a>,
    /// The client id that the current write has stored although it may be refused.
    pending_client_id: Option<PendingClientId>,
    /// A buffer for encoded counts.
    counts: Vec<u8>,
}

/// A client id that a write has stored before all its checks have passed.
struct PendingClientId {
    client_id: ClientMessageId,
    /// The `ref` of the sender.
    sender_ref: i64,
}

impl Writer {
    pub(crate) fn new(connection: Database, config: &SqliteConfig) -> Result<Self, StoreError> {
        Ok(Self {
            last_writer: LastWriter::new(&connection)?,
            connection,
            heads: Heads::new(config),
            recent: None,
            recent_entries: config.recent_entries,
        })
    }

    #[cfg(test)]
    pub(crate) const fn connection(&self) -> &Database {
        &self.connection
    }

    /// Begins a transaction, and clears the caches if another writer changed the store's tables
    /// since the last batch.
    fn begin(&mut self) -> Result<(), StoreError> {
        if !self.connection.is_autocommit() {
            // The rollback of an earlier batch failed. If it fails again, this batch fails.
            self.connection.execute_batch("ROLLBACK").map_err(from_sqlite)?;
        }
        let begun = self.connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([]));
        begun.map_err(from_sqlite)?;
        if !self.last_writer.claim(&self.connection)? {
            self.heads.clear();
            self.recent = None;
        }
        Ok(())
    }

    /// Applies all writes of a batch inside the open transaction, and merges rows.
    fn apply(&mut self, writes: Vec<Write>) -> rusqlite::Result<Vec<Outcome>> {
        let recent = match &mut self.recent {
            Some(recent) => recent,
            unknown => unknown.insert(RecentRows::read(&self.connection, self.recent_entries)?),
        };
        let statements = Statements::new(&self.connection, recent.runs.growing_table());
        let mut batch = Batch {
            connection: &self.connection,
            heads: &mut self.heads,
            recent,
            statements,
            pending_client_id: None,
            counts: Vec::with_capacity(Counts::MAX_LEN),
        };
        let outcomes = writes.into_iter().map(|write| batch.apply(write)).collect::<rusqlite::Result<_>>()?;
        drop(batch);
        recent.merge(&self.connection)?;
        Ok(outcomes)
    }

    /// Rolls back the transaction of a batch that is certainly not committed, and clears the
    /// caches.
    fn roll_back(&mut self) {
        self.heads.clear();
        self.recent = None;
        self.last_writer.forget_claim();
        // After some errors, SQLite itself has rolled the transaction back. If this rollback fails,
        // `begin` repeats it for the next batch.
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::warn!(error = %error, "rollback failed");
        }
    }
}

impl EngineWriter for Writer {
    fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let outcomes = match self.begin().and_then(|()| self.apply(batch).map_err(from_sqlite)) {
            Ok(outcomes) => outcomes,
            Err(error) => {
                self.roll_back();
                return Err(error);
            }
        };
        let committed = self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        match committed {
            Ok(_) => Ok(outcomes),
            Err(error) if did_not_commit(&error) => {
                self.roll_back();
                Err(from_sqlite(error))
            }
            // After this error, the store closes this writer and opens the file again.
            Err(error) => Err(StoreError::new(StoreErrorKind::OutcomeUnknown, error)),
        }
    }
}

impl Batch<'_> {
    fn apply(&mut self, write: Write) -> rusqlite::Result<Outcome> {
        let outcome = write.apply(self)?;
        self.delete_pending_client_id()?;
        Ok(outcome)
    }
}
