//! [`Engine`]: an open database. All stores in one database share one engine, and so do the writer
//! and the reader of a store.

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
    /// The newest numbers of conversations and users. The lock is held for the length of a batch,
    /// so that its holder is the only writer of the tables.
    heads: Mutex<Heads>,
    /// The state that reads see. While a batch is being committed it is the state before this
    /// batch. Otherwise it is `None`, and reads see the newest state.
    read_state: RwLock<Option<Snapshot>>,
}

/// The engines of this process that are in use. Two stores in one database share an engine, so that
/// their batches do not run at the same time. fjall locks the database for a single write only, not
/// for a batch with its reads. Another process cannot open the database.
static IN_USE: Mutex<Vec<Weak<Engine>>> = Mutex::new(Vec::new());

impl Engine {
    /// The engine of a database: the one in use, or a new one. Migrates the schema to this
    /// library's version.
    pub(crate) fn for_database(database: Database, config: &FjallConfig) -> Result<Arc<Self>, StoreError> {
        // After a panic the list is still valid, because each change of it is one call.
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        let tables = schema::migrate(&database, config)?;
        in_use.retain(|engine| engine.strong_count() > 0);
        let is_same_database = |engine: &Arc<Self>| engine.tables.schema.shares_keyspace(&tables.schema);
        if let Some(engine) = in_use.iter().filter_map(Weak::upgrade).find(is_same_database) {
            return Ok(engine);
        }
        let heads = Mutex::new(Heads::new(config.heads_bytes).with_notes());
        let engine = Arc::new(Self { database, tables, heads, read_state: RwLock::new(None) });
        in_use.push(Arc::downgrade(&engine));
        Ok(engine)
    }

    /// Locks the heads, which makes the caller the only writer of this database. Waits for other
    /// writers.
    ///
    /// # Errors
    /// [`StoreErrorKind::Closed`] after a batch that panicked, because a part of this batch may be
    /// in fjall's memory.
    pub(crate) fn lock_heads(&self) -> Result<MutexGuard<'_, Heads>, StoreError> {
        self.heads.lock().map_err(|_| StoreErrorKind::Closed.into())
    }

    /// The newest committed state, without any part of the batch that is being committed.
    ///
    /// `Database::snapshot` alone may show a part of a batch (seen in fjall 3.1.13). fjall gives
    /// each batch a sequence number, and a snapshot shows all rows below the newest completed
    /// number. A flush or merge in the background takes and completes a number, too. It can do so
    /// while fjall is still copying a batch with a smaller number into memory.
    pub(crate) fn snapshot(&self) -> Snapshot {
        // The value is only ever replaced as a whole, so it is valid even after a panic.
        let read_state = self.read_state.read().unwrap_or_else(PoisonError::into_inner);
        read_state.clone().unwrap_or_else(|| self.database.snapshot())
    }

    /// Sets the state that reads see: the state before a batch while this batch is being committed,
    /// otherwise `None`, for the newest state. A snapshot is kept no longer than a commit, because
    /// it keeps the old versions of all rows, including rows that the host overwrites.
    pub(crate) fn set_read_state(&self, state: Option<Snapshot>) {
        *self.read_state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}
