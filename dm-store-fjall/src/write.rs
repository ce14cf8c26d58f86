//! Writing: one batch of the engine for each batch.

use std::sync::Arc;

use dm_core::store::{EngineWriter, Outcome, StoreError, Write};
use dm_store_kv::Tables;
use fjall::{OwnedWriteBatch, PersistMode, Snapshot};

use crate::engine::Engine;
use crate::error::from_commit;
use crate::rows::BatchTable;
use crate::tables::{batch_tables, changed_rows, write_to};

/// The writing half of the store.
pub(crate) struct Writer {
    engine: Arc<Engine>,
}

impl Writer {
    pub(crate) const fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}

impl Writer {
    /// Makes the changes of tables durable, in one batch of the engine.
    fn write(&self, tables: Tables<BatchTable<'_>>, before: &Snapshot) -> Result<(), fjall::Error> {
        let engine = &*self.engine;
        let mut rows = OwnedWriteBatch::with_capacity(engine.database.clone(), changed_rows(&tables))
            .durability(Some(PersistMode::SyncData));
        write_to(tables, &mut rows);
        engine.set_read_state(Some(before.clone()));
        // A failed batch is in no table. Reads go on with the state before it, whatever part of it
        // is in the journal.
        rows.commit()?;
        engine.set_read_state(None);
        Ok(())
    }

    /// Notes the newest numbers that are in memory, so that each is found by one look-up after the
    /// database is opened again.
    fn note(&self) -> Result<(), StoreError> {
        let mut heads = self.engine.writer()?;
        let snapshot = self.engine.database.snapshot();
        let mut tables = batch_tables(&self.engine.tables, &snapshot);
        heads.note_all(&mut tables)?;
        if changed_rows(&tables) > 0 {
            self.write(tables, &snapshot).inspect_err(|_| heads.clear()).map_err(from_commit)?;
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Err(error) = self.note() {
            // Nothing is lost: the look-ups take longer after the database is opened again.
            tracing::debug!(error = %error, "the newest numbers were not noted");
        }
    }
}

impl EngineWriter for Writer {
    fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let engine = &*self.engine;
        let mut heads = engine.writer()?;
        let snapshot = engine.database.snapshot();
        let mut tables = batch_tables(&engine.tables, &snapshot);
        let outcomes = match dm_store_kv::apply(&mut tables, &mut heads, batch) {
            Ok(outcomes) => outcomes,
            Err(failure) => {
                // Nothing was written except in memory.
                heads.clear();
                return Err(failure.into());
            }
        };
        if let Err(error) = self.write(tables, &snapshot) {
            heads.clear();
            return Err(from_commit(error));
        }
        Ok(outcomes)
    }
}
