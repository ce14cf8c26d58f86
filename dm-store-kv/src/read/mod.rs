//! [`Reader`], the reader of a store. Each call reads from one snapshot of the tables.

mod conversations;
mod history;
mod inbox;
mod messages;
mod records;

use dm_core::store::{
    ConversationId, ConversationState, ConversationsQuery, Depth, DeviceState, EngineReader, HistoryPage,
    HistoryQuery, InboxPage, InboxQuery, InboxSeq, ListedConversation, Principal, Record, RecordKey,
    ScanPage, ScanQuery, StoreError, UserId,
};

pub(crate) use inbox::marked_entry;
pub(crate) use messages::MessageReader;

use crate::failure::Failure;
use crate::rows::Rows;
use crate::tables::Tables;

/// Opens committed states of an engine's tables, for a [`Reader`]. An engine implements this trait.
pub trait Snapshots: Send + Sync + 'static {
    /// A table in one committed state.
    type Table<'a>: Rows;

    /// Calls `read` with the newest committed state of all tables, and returns the result. The
    /// state has no part of a batch that is not committed.
    ///
    /// # Errors
    /// An error of the engine or of `read`.
    fn read<R>(
        &self,
        read: impl FnOnce(&Tables<Self::Table<'_>>) -> Result<R, Failure>,
    ) -> Result<R, Failure>;
}

/// The reader of a store: answers all queries from snapshots of the tables.
pub struct Reader<S>(S);

impl<S: Snapshots> Reader<S> {
    /// A reader of the states that `snapshots` opens.
    pub const fn new(snapshots: S) -> Self {
        Self(snapshots)
    }
}

impl<S> std::fmt::Debug for Reader<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl<S: Snapshots> EngineReader for Reader<S> {
    fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError> {
        Ok(self.0.read(|tables| keys.iter().map(|key| tables.record(key)).collect())?)
    }

    fn scan(&self, query: ScanQuery) -> Result<ScanPage, StoreError> {
        Ok(self.0.read(|tables| records::scan(tables, &query))?)
    }

    fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        Ok(self.0.read(|tables| conversations::conversation(tables, id))?)
    }

    fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ListedConversation>, StoreError> {
        Ok(self.0.read(|tables| conversations::conversations(tables, &query))?)
    }

    fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        Ok(self.0.read(|tables| history::history(tables, &query))?)
    }

    fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        Ok(self.0.read(|tables| inbox::inbox(tables, &query))?)
    }

    fn inbox_heads(&self, users: Vec<UserId>) -> Result<Vec<InboxSeq>, StoreError> {
        Ok(self.0.read(|tables| users.iter().map(|user| inbox::head(tables, *user)).collect())?)
    }

    fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        Ok(self.0.read(|tables| inbox::devices(tables, user))?)
    }

    fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        Ok(self.0.read(|tables| inbox::depth(tables, &who))?)
    }
}
