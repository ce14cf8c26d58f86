//! [`Writer`], the store's writer. Each batch is one transaction.

use std::sync::Weak;

use dm_core::store::{EngineWriter, Outcome, StoreError, StoreErrorKind, Write};
use dm_store_kv::{Changes as _, Failure, Heads, Rows as _, Tables};
use redb::{CommitError, Database, Durability, WriteTransaction};

use crate::config::{Recovery, RedbConfig};
use crate::error::{from_commit, from_redb};
use crate::recent::merge::merge;
use crate::recent::newest::NewestNumbers;
use crate::recent::runs::RUNS_PER_GENERATION;
use crate::schema::COMMIT_KEY;
use crate::table_with_runs::TableWithRuns;
use crate::tables::{self, INBOX, SEQUENCE};

/// The writer of the store. It has only a weak reference to the database, so the store keeps the
/// database open until the reader is dropped.
pub(crate) struct Writer {
    database: Weak<Database>,
    recovery: Recovery,
    /// The number of rows in a full run of `dm_inbox`.
    rows_per_run: u64,
    heads: Heads,
    /// The newest numbers in the runs of `dm_sequence` and of `dm_inbox`. `None` until they are
    /// read from the runs.
    newest: [Option<NewestNumbers>; 2],
    /// The number of commits in the database when `heads` and `newest` were last valid. If the
    /// database has another number now, another handle has written.
    commits: u64,
}

impl Writer {
    pub(crate) fn new(database: Weak<Database>, config: &RedbConfig) -> Self {
        let rows_per_run =
            u64::try_from(config.recent_entries.get()).unwrap_or(u64::MAX) / RUNS_PER_GENERATION;
        Self {
            database,
            recovery: config.recovery,
            rows_per_run: rows_per_run.max(1),
            heads: Heads::new(config.heads_bytes),
            newest: [None, None],
            commits: 0,
        }
    }

    /// Begins a transaction with the settings for durability and recovery.
    fn begin(&self, database: &Database) -> Result<WriteTransaction, StoreError> {
        let mut transaction = database.begin_write().map_err(from_redb)?;
        transaction.set_durability(Durability::Immediate).map_err(from_redb)?;
        // Users choose the payloads, and redb recommends two-phase commits for untrusted input.
        transaction.set_two_phase_commit(true);
        transaction.set_quick_repair(self.recovery == Recovery::Quick);
        Ok(transaction)
    }

    /// Applies all writes of a batch in a transaction, and merges rows from runs into the main
    /// tables.
    fn apply(&mut self, transaction: &WriteTransaction, batch: Vec<Write>) -> Result<Vec<Outcome>, Failure> {
        let mut tables = tables::write(transaction, self.rows_per_run)?;
        // Another handle of the same database may have written since the last batch.
        let commits = match tables.schema.get(COMMIT_KEY)? {
            Some(value) => <[u8; 8]>::try_from(&*value)
                .map_err(|_| Failure::Damaged("the count of commits has a wrong length"))?,
            None => [0; 8],
        };
        let commits = u64::from_be_bytes(commits);
        if commits != self.commits {
            self.clear_caches();
        }
        let [sequence, inbox] = std::mem::take(&mut self.newest);
        tables.sequence.set_newest(sequence);
        tables.inbox.set_newest(inbox);
        self.commits = commits.wrapping_add(1);
        tables.schema.insert(COMMIT_KEY, &self.commits.to_be_bytes())?;
        let outcomes = dm_store_kv::apply(&mut tables, &mut self.heads, batch)?;

        let Tables { mut schema, sequence, inbox, .. } = tables;
        let logs = [(SEQUENCE, sequence), (INBOX, inbox)];
        for ((name, TableWithRuns { main, recent }), newest) in logs.into_iter().zip(&mut self.newest) {
            if let Some(recent) = recent {
                let (runs, known) = merge(main, recent)?;
                schema.insert(name.as_bytes(), &runs.encode())?;
                *newest = known;
            }
        }
        Ok(outcomes)
    }

    /// Clears the caches, so that the next batch reads their contents from the tables.
    fn clear_caches(&mut self) {
        self.heads.clear();
        self.newest = [None, None];
    }
}

impl EngineWriter for Writer {
    fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let database = self.database.upgrade().ok_or(StoreErrorKind::Closed)?;
        let transaction = self.begin(&database)?;
        let outcomes = match self.apply(&transaction, batch) {
            Ok(outcomes) => outcomes,
            Err(failure) => {
                self.clear_caches();
                // Nothing is committed, even if the rollback fails.
                if let Err(error) = transaction.abort() {
                    tracing::warn!(error = %error, "the transaction could not be rolled back");
                }
                return Err(failure.into());
            }
        };
        match transaction.commit() {
            Ok(()) => Ok(outcomes),
            // redb has rolled the transaction back.
            Err(error @ CommitError::TransactionPoisoned) => {
                self.clear_caches();
                Err(from_redb(error))
            }
            // The caches are not cleared: after an unknown outcome the writer is not called again.
            Err(error) => Err(from_commit(error)),
        }
    }

    /// Whether redb refuses all calls until the database is opened again. redb does so after any
    /// error in reading or writing its file, even if nothing of the batch was committed.
    fn is_broken(&self) -> bool {
        let database = self.database.upgrade();
        let begun = database.as_deref().map(Database::try_begin_write);
        begun.is_some_and(|begun| begun.is_err_and(|error| from_redb(error).kind() == StoreErrorKind::Closed))
    }
}
