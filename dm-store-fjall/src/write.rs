//! [`Writer`], the store's writer. It commits each batch of `dm-core` as one batch of fjall.

use std::sync::Arc;

use dm_core::store::{EngineWriter, Outcome, StoreError, Write};
use dm_store_kv::Tables;
use fjall::{OwnedWriteBatch, PersistMode, Snapshot};

use crate::engine::Engine;
use crate::error::from_commit;
use crate::rows::BatchTable;
use crate::tables::{batch_tables, changed_rows, write_to};

/// The writer of the store.
pub(crate) struct Writer {
    engine: Arc<Engine>,
}

impl Writer {
    pub(crate) const fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}

impl Writer {
    /// Makes the changes of all tables durable, in one batch of fjall. Until the commit ends, reads
    /// see `before`, the state without these changes.
    fn commit_changes(&self, tables: Tables<BatchTable<'_>>, before: &Snapshot) -> Result<(), fjall::Error> {
        let engine = &*self.engine;
        let mut rows = OwnedWriteBatch::with_capacity(engine.database.clone(), changed_rows(&tables))
            .durability(Some(PersistMode::SyncData));
        write_to(tables, &mut rows);
        engine.set_read_state(Some(before.clone()));
        // If the commit fails, no table has the batch, but the journal may have a part of it. Reads
        // then continue to see the state before the batch.
        rows.commit()?;
        engine.set_read_state(None);
        Ok(())
    }

    /// Writes the newest numbers that are in memory to the tables, so that one look-up finds each
    /// number after the database is opened again.
    fn note_heads(&self) -> Result<(), StoreError> {
        let mut heads = self.engine.lock_heads()?;
        let snapshot = self.engine.database.snapshot();
        let mut tables = batch_tables(&self.engine.tables, &snapshot);
        heads.note_all(&mut tables)?;
        if changed_rows(&tables) > 0 {
            self.commit_changes(tables, &snapshot).inspect_err(|_| heads.clear()).map_err(from_commit)?;
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Err(error) = self.note_heads() {
            // No data is lost. The look-ups take longer after the database is opened again.
            tracing::debug!(error = %error, "the newest numbers were not noted");
        }
    }
}

impl EngineWriter for Writer {
    fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let engine = &*self.engine;
        let mut heads = engine.lock_heads()?;
        let snapshot = engine.database.snapshot();
        let mut tables = batch_tables(&engine.tables, &snapshot);
        let outcomes = match dm_store_kv::apply(&mut tables, &mut heads, batch) {
            Ok(outcomes) => outcomes,
            Err(failure) => {
                // The changes were only in `tables`, in memory, and are dropped.
                heads.clear();
                return Err(failure.into());
            }
        };
        if let Err(error) = self.commit_changes(tables, &snapshot) {
            heads.clear();
            return Err(from_commit(error));
        }
        Ok(outcomes)
    }
}
