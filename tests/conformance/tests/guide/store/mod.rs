//! The store: a log of batches, and the tables that result from replaying it.

pub(crate) mod codec;
mod log;
mod tables;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use dm_core::store::*;

use log::Log;
use tables::Tables;

/// A store in one file, with all data in memory as well.
pub(crate) type LogStore = Embedded<Reader>;

/// Opens or creates the file. Only one process can have it open.
pub(crate) fn open(path: &Path) -> Result<LogStore, StoreError> {
    let (log, records) = Log::open(path)?;
    let mut tables = Tables::default();
    for record in records {
        for write in codec::decode(&record).ok_or(StoreErrorKind::Corrupt)? {
            tables.apply(write);
        }
    }
    let tables = Arc::new(RwLock::new(tables));
    Embedded::new(Writer { log, tables: Arc::clone(&tables) }, Reader { tables })
}

/// The writing half. It runs on its own thread and gets one batch at a time.
struct Writer {
    log: Log,
    tables: Arc<RwLock<Tables>>,
}

impl EngineWriter for Writer {
    fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut record = Vec::new();
        for write in &batch {
            codec::encode(write, &mut record);
        }
        if !record.is_empty() {
            self.log.append(&record)?;
        }
        // The record is on the disk, so the batch is committed. Readers wait for the lock and then
        // see the whole batch.
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        Ok(batch.into_iter().map(|write| tables.apply(write)).collect())
    }
}

/// The reading half. Many threads call it at the same time.
pub(crate) struct Reader {
    tables: Arc<RwLock<Tables>>,
}

impl Reader {
    fn tables(&self) -> RwLockReadGuard<'_, Tables> {
        // The lock is poisoned by a panic in the middle of a batch. `Embedded` refuses all further
        // calls then.
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EngineReader for Reader {
    fn key(&self, user: UserId) -> Result<Option<KeyRecord>, StoreError> {
        Ok(self.tables().key(user))
    }

    fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        Ok(self.tables().conversation(id))
    }

    fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ConversationState>, StoreError> {
        Ok(self.tables().conversations(&query))
    }

    fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        Ok(self.tables().history(&query))
    }

    fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        Ok(self.tables().inbox(&query))
    }

    fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        Ok(self.tables().devices(user))
    }

    fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        Ok(self.tables().depth(&who))
    }
}
