//! [`Reader`], the reads of the store. Each call reads one snapshot of the file.
//!
//! Inbox entries and messages of conversations are read with the functions of [`recent::read`],
//! because their rows are in a main table and in runs ([`recent`]). Parameters are written `+?1`
//! for the reason given at [`CACHED_STATEMENTS`](crate::connection::CACHED_STATEMENTS).
//!
//! [`recent`]: crate::recent
//! [`recent::read`]: crate::recent::read

mod activity;
mod conversations;
mod history;
mod inbox;
#[cfg(test)]
mod planning_tests;
pub(crate) mod records;
mod state;

use std::num::NonZeroUsize;

use dm_core::store::{
    ConversationId, ConversationState, ConversationsQuery, Depth, DeviceState, EngineReader, HistoryPage,
    HistoryQuery, InboxPage, InboxQuery, InboxSeq, ListedConversation, Principal, Record, RecordKey,
    ScanPage, ScanQuery, StoreError, UserId,
};
use rusqlite::Result;

use crate::connection::ReaderPool;
use crate::recent::activity::RunTimes;

/// The reads of a store, which use its pool of connections.
pub(crate) struct Reader {
    pool: ReaderPool,
    run_times: RunTimes,
}

impl Reader {
    pub(crate) fn new(pool: ReaderPool) -> Self {
        Self { pool, run_times: RunTimes::default() }
    }
}

impl EngineReader for Reader {
    fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError> {
        self.pool.read(|connection| keys.iter().map(|key| records::record(connection, key)).collect())
    }

    fn scan(&self, query: ScanQuery) -> Result<ScanPage, StoreError> {
        self.pool.read(|connection| records::scan(connection, &query))
    }

    fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        self.pool.read(|connection| conversations::conversation(connection, id))
    }

    fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ListedConversation>, StoreError> {
        self.pool.read(|connection| conversations::conversations(connection, &self.run_times, &query))
    }

    fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        self.pool.read(|connection| history::history(connection, &query))
    }

    fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        self.pool.read(|connection| inbox::inbox(connection, &query))
    }

    fn inbox_heads(&self, users: Vec<UserId>) -> Result<Vec<InboxSeq>, StoreError> {
        self.pool.read(|connection| inbox::inbox_heads(connection, &users))
    }

    fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        self.pool.read(|connection| inbox::devices(connection, user))
    }

    fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        self.pool.read(|connection| inbox::depth(connection, &who))
    }

    /// The maximum number of reads that run at the same time: one for each connection.
    fn max_concurrent_reads(&self) -> NonZeroUsize {
        self.pool.size()
    }
}
