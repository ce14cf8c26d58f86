//! One open database, shared by every store of it and by both halves of each.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use dm_core::store::{StoreError, StoreErrorKind};
use dm_store_kv::{Heads, Tables};
use fjall::{Database, Snapshot};

use crate::config::FjallConfig;
use crate::schema;
use crate::table::Table;

/// A database with the library's tables.
pub(crate) struct Engine {
    pub(crate) database: Database,
    pub(crate) tables: Tables<Table>,
    /// Held for the length of a batch: whoever holds it is the one writer of these tables.
    heads: Mutex<Heads>,
    /// The state before the batch that is being committed, if one is.
    before: RwLock<Option<Snapshot>>,
}

/// The engines that are in use, so that two stores of one database share one and never write at
/// once. fjall itself locks single writes only, and lets one process open a database.
static IN_USE: Mutex<Vec<Weak<Engine>>> = Mutex::new(Vec::new());

impl Engine {
    /// The engine of a database, with its schema brought to this library's version.
    pub(crate) fn of(database: Database, config: &FjallConfig) -> Result<Arc<Self>, StoreError> {
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        let tables = schema::migrate(&database, config)?;
        in_use.retain(|engine| engine.strong_count() > 0);
        let same = |engine: &Arc<Self>| engine.tables.schema.shares_keyspace(&tables.schema);
        if let Some(engine) = in_use.iter().filter_map(Weak::upgrade).find(same) {
            return Ok(engine);
        }
        let heads = Mutex::new(Heads::new(config.heads_bytes).noting());
        let engine = Arc::new(Self { database, tables, heads, before: RwLock::new(None) });
        in_use.push(Arc::downgrade(&engine));
        Ok(engine)
    }

    /// Waits for the other writers of this database, and becomes the one.
    ///
    /// # Errors
    /// [`StoreErrorKind::Closed`] after a batch that panicked: nobody knows what the engine holds
    /// of it in memory.
    pub(crate) fn writer(&self) -> Result<MutexGuard<'_, Heads>, StoreError> {
        self.heads.lock().map_err(|_| StoreErrorKind::Closed.into())
    }

    /// The newest committed state, without any part of the batch that is being committed.
    ///
    /// fjall's snapshots alone do not promise that: they see what has a smaller number than the
    /// newest one that was completed, and a flush or merge in the background takes a number and
    /// completes it while a batch with a smaller one is half in memory (seen in 3.1.13).
    pub(crate) fn snapshot(&self) -> Snapshot {
        let before = self.before.read().unwrap_or_else(PoisonError::into_inner);
        before.clone().unwrap_or_else(|| self.database.snapshot())
    }

    /// Says which state readers see: the one before a batch, from when it begins to be committed
    /// until it is, or the newest. A snapshot is kept no longer than that, because it keeps alive
    /// what a host overwrites.
    pub(crate) fn set_read_state(&self, before: Option<Snapshot>) {
        *self.before.write().unwrap_or_else(PoisonError::into_inner) = before;
    }
}
