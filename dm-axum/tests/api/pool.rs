//! [`PooledStore`]: a store that limits the number of concurrent reads of history, as a pool of
//! connections does. Each read yields once while it holds its permit, so that reads overlap.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use dm_core::store::{
    ConversationsQuery, HistoryPage, HistoryQuery, InboxPage, InboxQuery, ListedConversation, Outcome,
    Record, RecordKey, ScanPage, ScanQuery, Store, StoreError, Write,
};
use dm_core::{ConversationId, ConversationState, Depth, DeviceState, MemoryStore, Principal, UserId};
use tokio::sync::Semaphore;

#[derive(Clone)]
pub struct PooledStore {
    inner: MemoryStore,
    permits: Arc<Semaphore>,
    done: Arc<AtomicUsize>,
    largest: Arc<AtomicUsize>,
}

impl PooledStore {
    pub fn new(permits: usize) -> Self {
        let permits = Arc::new(Semaphore::new(permits));
        Self { inner: MemoryStore::new(), permits, done: Arc::default(), largest: Arc::default() }
    }

    /// The number of pages of history that were read.
    pub fn history_reads(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// The cost of the messages on the largest page of history, in bytes.
    pub fn largest_history(&self) -> usize {
        self.largest.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Store for PooledStore {
    async fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        self.inner.commit(batch).await
    }

    async fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError> {
        self.inner.records(keys).await
    }

    async fn scan(&self, query: ScanQuery) -> Result<ScanPage, StoreError> {
        self.inner.scan(query).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        self.inner.conversation(id).await
    }

    async fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ListedConversation>, StoreError> {
        self.inner.conversations(query).await
    }

    async fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        let _permit = self.permits.acquire().await.unwrap();
        tokio::task::yield_now().await;
        let page = self.inner.history(query).await;
        if let Ok(Some(page)) = &page {
            let bytes = page.messages.iter().map(|message| message.cost()).sum();
            self.largest.fetch_max(bytes, Ordering::Relaxed);
        }
        self.done.fetch_add(1, Ordering::Relaxed);
        page
    }

    async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        self.inner.inbox(query).await
    }

    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        self.inner.devices(user).await
    }

    async fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        self.inner.depth(who).await
    }
}
