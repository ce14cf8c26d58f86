//! [`Reader`], the reads of the store. Each call reads one snapshot of the file.
//!
//! Inbox entries and messages of conversations are read with the functions of [`recent::read`],
//! because their rows are in a main table and in runs ([`recent`]). Parameters are written `+?1`
//! for the reason given at [`CACHED_STATEMENTS`](crate::connection::CACHED_STATEMENTS).
//!
//! [`recent`]: crate::recent
//! [`recent::read`]: crate::recent::read

mod conversations;
mod history;
mod inbox;
#[cfg(test)]
mod planning_tests;

use std::num::NonZeroUsize;

use dm_core::store::{
    ConversationId, ConversationState, ConversationsQuery, Depth, DeviceState, EngineReader, HistoryPage,
    HistoryQuery, InboxPage, InboxQuery, InboxSeq, KeyRecord, Principal, StoreError, UserId,
};
use rusqlite::{OptionalExtension, Result};

use crate::codec;
use crate::connection::ReaderPool;
use crate::database::Database;
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
    fn key(&self, user: UserId) -> Result<Option<KeyRecord>, StoreError> {
        self.pool.read(|connection| key(connection, user))
    }

    fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        self.pool.read(|connection| conversations::conversation(connection, id))
    }

    fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ConversationState>, StoreError> {
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

/// A user's current key record; `None` if the user has published no key.
pub(crate) fn key(connection: &Database, user: UserId) -> Result<Option<KeyRecord>> {
    connection
        .prepare_cached(
            "SELECT k.key, k.version, k.published_at, k.binding FROM dm_users u JOIN dm_keys k ON k.user = u.ref
             WHERE u.pubkey = +?1 ORDER BY k.version DESC LIMIT 1",
        )?
        .query_row([user.as_bytes()], |row| codec::key_record(user, row, 0))
        .optional()
}
