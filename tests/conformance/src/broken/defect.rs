//! The interface of defects: the calls of a store that one can change.

use std::sync::Arc;

use async_trait::async_trait;
use dm_core::store::{
    ConversationState, ConversationsQuery, DeviceState, HistoryPage, HistoryQuery, InboxPage, InboxQuery,
    InboxSeq, ListedConversation, MemoryStore, Outcome, Record, RecordKey, ScanPage, ScanQuery, Store as _,
    StoreError, UserId, Write,
};

/// One mistake of a store. The in-memory store handles all that the defect does not change.
#[async_trait]
pub trait Defect: Send + Sync + 'static {
    /// Changes a write before it is applied.
    fn write(&self, _write: &mut Write) {}

    /// Changes the outcome of a write.
    fn outcome(&self, _write: &Write, _outcome: &mut Outcome) {}

    /// Changes a query of an inbox.
    fn inbox_query(&self, _query: &mut InboxQuery) {}

    /// Changes a page of an inbox.
    fn inbox_page(&self, _query: &InboxQuery, _page: &mut InboxPage) {}

    /// Changes a query of a conversation.
    fn history_query(&self, _query: &mut HistoryQuery) {}

    /// Changes a page of a conversation.
    fn history_page(&self, _page: &mut HistoryPage) {}

    /// Changes a query of a user's conversations.
    fn list_query(&self, _query: &mut ConversationsQuery) {}

    /// Changes a page of a user's conversations.
    fn list_page(&self, _page: &mut Vec<ListedConversation>) {}

    /// Changes a conversation that is read by its id.
    fn state(&self, _state: &mut ConversationState) {}

    /// Changes a list of a user's devices.
    fn devices(&self, _user: UserId, _devices: &mut Vec<DeviceState>) {}

    /// Changes a query of records.
    fn scan_query(&self, _query: &mut ScanQuery) {}

    /// Changes a page of records.
    fn scan_page(&self, _query: &ScanQuery, _page: &mut ScanPage) {}

    /// Commits a batch.
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        store.commit(batch).await
    }

    /// The store that reads use, instead of the one that is written.
    fn read<'a>(&'a self, store: &'a MemoryStore) -> &'a MemoryStore {
        store
    }

    /// The store that reads of devices and pending entries use.
    fn read_devices<'a>(&'a self, store: &'a MemoryStore) -> &'a MemoryStore {
        self.read(store)
    }

    /// The number of syncs so far, as [`Harness::syncs`](crate::Harness::syncs) returns it.
    fn syncs(&self) -> Option<u64> {
        None
    }

    /// Opens the store again.
    async fn open(&self, store: &MemoryStore) -> MemoryStore {
        store.clone()
    }

    /// Reads the newest numbers of inboxes.
    async fn inbox_heads(
        &self,
        store: &MemoryStore,
        users: Vec<UserId>,
    ) -> Result<Vec<InboxSeq>, StoreError> {
        store.inbox_heads(users).await
    }

    /// Reads a page of a user's conversations.
    async fn conversations(
        &self,
        store: &MemoryStore,
        query: ConversationsQuery,
    ) -> Result<Vec<ListedConversation>, StoreError> {
        store.conversations(query).await
    }

    /// Reads records by their keys.
    async fn records(
        &self,
        store: &MemoryStore,
        keys: Vec<RecordKey>,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        store.records(keys).await
    }

    /// Reads a conversation.
    async fn history(
        &self,
        store: &MemoryStore,
        query: HistoryQuery,
    ) -> Result<Option<HistoryPage>, StoreError> {
        store.history(query).await
    }
}

/// A kind of defect, and the module that must catch it.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The mistake, in words.
    pub name: &'static str,
    /// The module whose cases must catch it.
    pub module: &'static str,
    pub(super) make: Make,
}

/// Makes a defect for a fresh storage location.
pub(super) type Make = fn() -> Arc<dyn Defect>;

/// Lists defects with the modules that must catch them.
macro_rules! defects {
    ($($module:literal: $name:literal => $defect:ty,)*) => {
        pub(super) const KINDS: &[crate::broken::defect::Kind] = &[$(
            crate::broken::defect::Kind {
                name: $name,
                module: $module,
                make: || std::sync::Arc::<$defect>::default(),
            },
        )*];
    };
}
pub(super) use defects;
