//! Writing: one batch, one batch of the engine.

use std::sync::Arc;

use dm_core::{EngineWriter, Outcome, StoreError, Write};
use fjall::{OwnedWriteBatch, PersistMode};

use crate::engine::Engine;
use crate::error::from_commit;
use crate::tables::{changed, changes, write_to};

/// The half of the store that writes.
pub(crate) struct Writer {
    engine: Arc<Engine>,
}

impl Writer {
    pub(crate) const fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}

impl EngineWriter for Writer {
    fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let engine = &*self.engine;
        let mut heads = engine.writer()?;
        let snapshot = engine.database.snapshot();
        let mut tables = changed(&engine.tables, &snapshot);
        let outcomes = match dm_store_kv::apply(&mut tables, &mut heads, batch) {
            Ok(outcomes) => outcomes,
            Err(failure) => {
                // Nothing was written anywhere but in memory.
                heads.clear();
                return Err(failure.into());
            }
        };
        let mut rows = OwnedWriteBatch::with_capacity(engine.database.clone(), changes(&tables))
            .durability(Some(PersistMode::SyncData));
        write_to(tables, &mut rows);

        engine.show(Some(snapshot.clone()));
        if let Err(error) = rows.commit() {
            heads.clear();
            // What failed is in no table. Readers go on with the state before it, whatever the
            // journal holds.
            return Err(from_commit(error));
        }
        engine.show(None);
        Ok(outcomes)
    }
}
