//! A store with a defect, and its harness.

use std::sync::Arc;

use async_trait::async_trait;
use dm_core::store::{
    ConversationId, ConversationState, ConversationsQuery, Depth, DeviceState, HistoryPage, HistoryQuery,
    InboxPage, InboxQuery, InboxSeq, ListedConversation, MemoryStore, Outcome, Principal, Record, RecordKey,
    ScanPage, ScanQuery, Store, StoreError, UserId, Write,
};

use super::chosen::CHOSEN;
use super::defect::Defect;
use crate::Harness;

/// The harness of a broken store.
pub(super) struct BrokenHarness {
    store: MemoryStore,
    defect: Arc<dyn Defect>,
}

/// A store with a defect.
pub(super) struct Broken {
    pub(super) store: MemoryStore,
    pub(super) defect: Arc<dyn Defect>,
}

impl Harness for BrokenHarness {
    type Store = Broken;

    async fn fresh() -> Self {
        let make = CHOSEN.get().expect("a kind of defect is being examined");
        Self { store: MemoryStore::new(), defect: make() }
    }

    async fn open(&self) -> Result<Broken, StoreError> {
        let store = self.defect.open(&self.store).await;
        Ok(Broken { store, defect: Arc::clone(&self.defect) })
    }

    fn syncs(&self) -> Option<u64> {
        self.defect.syncs()
    }
}

impl Broken {
    fn read(&self) -> &MemoryStore {
        self.defect.read(&self.store)
    }
}

#[async_trait]
impl Store for Broken {
    async fn commit(&self, mut batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        batch.iter_mut().for_each(|write| self.defect.write(write));
        let mut outcomes = self.defect.commit(&self.store, batch.clone()).await?;
        for (write, outcome) in batch.iter().zip(&mut outcomes) {
            self.defect.outcome(write, outcome);
        }
        Ok(outcomes)
    }

    async fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError> {
        self.defect.records(self.read(), keys).await
    }

    async fn scan(&self, mut query: ScanQuery) -> Result<ScanPage, StoreError> {
        self.defect.scan_query(&mut query);
        let mut page = self.read().scan(query.clone()).await?;
        self.defect.scan_page(&query, &mut page);
        Ok(page)
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        let mut state = self.read().conversation(id).await?;
        state.iter_mut().for_each(|state| self.defect.state(state));
        Ok(state)
    }

    async fn conversations(
        &self,
        mut query: ConversationsQuery,
    ) -> Result<Vec<ListedConversation>, StoreError> {
        self.defect.list_query(&mut query);
        let mut page = self.defect.conversations(self.read(), query).await?;
        self.defect.list_page(&mut page);
        Ok(page)
    }

    async fn history(&self, mut query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        self.defect.history_query(&mut query);
        let mut page = self.defect.history(self.read(), query).await?;
        page.iter_mut().for_each(|page| self.defect.history_page(page));
        Ok(page)
    }

    async fn inbox(&self, mut query: InboxQuery) -> Result<InboxPage, StoreError> {
        self.defect.inbox_query(&mut query);
        let mut page = self.read().inbox(query.clone()).await?;
        self.defect.inbox_page(&query, &mut page);
        Ok(page)
    }

    async fn inbox_heads(&self, users: Vec<UserId>) -> Result<Vec<InboxSeq>, StoreError> {
        self.defect.inbox_heads(self.read(), users).await
    }

    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        let mut devices = self.defect.read_devices(&self.store).devices(user).await?;
        self.defect.devices(user, &mut devices);
        Ok(devices)
    }

    async fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        self.defect.read_devices(&self.store).depth(who).await
    }
}
