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
    let (log, frames) = Log::open(path)?;
    let mut tables = Tables::default();
    for frame in frames {
        for write in codec::decode(&frame).ok_or(StoreErrorKind::Corrupt)? {
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
        let mut frame = Vec::new();
        let encoded: Vec<_> = batch.iter().map(|write| codec::encode(write, &mut frame)).collect();
        if !frame.is_empty() {
            self.log.append(&frame)?;
        }
        // The frame is on the disk, so the batch is committed. Readers wait for the lock and then
        // see the whole batch.
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        let outcome = |(write, encoded)| match encoded {
            Ok(()) => tables.apply(write),
            Err(refusal) => Outcome::Refused(refusal),
        };
        Ok(batch.into_iter().zip(encoded).map(outcome).collect())
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
    fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError> {
        let tables = self.tables();
        Ok(keys.iter().map(|key| tables.record(key)).collect())
    }

    fn scan(&self, query: ScanQuery) -> Result<ScanPage, StoreError> {
        Ok(self.tables().scan(&query))
    }

    fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        Ok(self.tables().conversation(id))
    }

    fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ListedConversation>, StoreError> {
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
