//! An open database, which all stores in it share, and both halves of each store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use dm_core::store::{StoreError, StoreErrorKind};
use dm_store_kv::{Heads, Tables};
use fjall::{Database, Snapshot};

use crate::config::FjallConfig;
use crate::schema;
use crate::table::Table;

/// An open database with the library's tables.
pub(crate) struct Engine {
    pub(crate) database: Database,
    pub(crate) tables: Tables<Table>,
    /// The newest numbers. Their lock is held for the length of a batch: its holder is the only
    /// writer of these tables.
    heads: Mutex<Heads>,
    /// The state that reads see: `Some` is the state before a batch that is being committed, `None`
    /// the newest one.
    before: RwLock<Option<Snapshot>>,
}

/// The engines in use. Two stores of one database share an engine, so that they do not write at the
/// same time: fjall itself locks single writes only. A database is open in one process at a time.
static IN_USE: Mutex<Vec<Weak<Engine>>> = Mutex::new(Vec::new());

impl Engine {
    /// The engine of a database, whose schema is migrated to this library's version.
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

    /// Waits for other writers of this database, and locks them out.
    ///
    /// # Errors
    /// [`StoreErrorKind::Closed`] after a batch that panicked, because the engine may have a part
    /// of it in memory.
    pub(crate) fn writer(&self) -> Result<MutexGuard<'_, Heads>, StoreError> {
        self.heads.lock().map_err(|_| StoreErrorKind::Closed.into())
    }

    /// The newest committed state, without any part of the batch that is being committed.
    ///
    /// fjall's own snapshots do not promise that. A snapshot sees all rows whose sequence numbers
    /// are below the newest completed one. A flush or merge in the background takes a number and
    /// completes it, while a batch with a smaller number is only in part in memory (seen in
    /// 3.1.13).
    pub(crate) fn snapshot(&self) -> Snapshot {
        let before = self.before.read().unwrap_or_else(PoisonError::into_inner);
        before.clone().unwrap_or_else(|| self.database.snapshot())
    }

    /// Sets the state that reads see: the one before a batch while the batch is being committed,
    /// and `None`, the newest one, otherwise. A snapshot is not kept longer, because it keeps old
    /// versions of all rows, also of those that a host overwrites.
    pub(crate) fn set_read_state(&self, before: Option<Snapshot>) {
        *self.before.write().unwrap_or_else(PoisonError::into_inner) = before;
    }
}
