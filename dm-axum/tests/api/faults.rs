//! [`FaultyStore`]: a store whose commits and reads fail or wait when a test requests it. The
//! writes that the service makes by itself, which can happen at any time, never fail or wait.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use dm_core::store::{
    Action, Change, ConversationsQuery, HistoryPage, HistoryQuery, InboxPage, InboxQuery, Kind,
    ListedConversation, Outcome, Put, Record, RecordKey, ScanPage, ScanQuery, Store, StoreError,
    StoreErrorKind, Write,
};
use dm_core::{ConversationId, ConversationState, Depth, DeviceState, MemoryStore, Principal, UserId};
use tokio::sync::watch;

#[derive(Clone, Default)]
pub struct FaultyStore {
    inner: MemoryStore,
    /// The error of the next commit for a caller.
    next: Arc<Mutex<Option<StoreErrorKind>>>,
    /// Whether lists of conversations fail.
    unreadable: Arc<AtomicBool>,
    /// Whether commits for callers wait.
    held: watch::Sender<bool>,
    /// Whether reads of history wait.
    history_held: watch::Sender<bool>,
    /// The number of reads of history that began.
    histories: Arc<AtomicUsize>,
    /// The number of writes for callers in commits that began.
    writes: Arc<AtomicUsize>,
}

impl FaultyStore {
    /// Makes the next commit for a caller fail.
    pub fn fail_next(&self, kind: StoreErrorKind) {
        *self.next.lock().unwrap() = Some(kind);
    }

    /// Makes all lists of conversations fail from now on, or succeed.
    pub fn fail_lists(&self, fail: bool) {
        self.unreadable.store(fail, Ordering::Relaxed);
    }

    /// Whether the commit that [`fail_next`](Self::fail_next) announced has failed.
    pub fn has_failed(&self) -> bool {
        self.next.lock().unwrap().is_none()
    }

    /// Makes commits for callers wait, or continue.
    pub fn hold_commits(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// Makes reads of history wait, or continue.
    pub fn hold_history(&self, held: bool) {
        self.history_held.send_replace(held);
    }

    /// The number of reads of history that began.
    pub fn history_reads(&self) -> usize {
        self.histories.load(Ordering::Relaxed)
    }

    /// The number of writes for callers in commits that began.
    pub fn writes(&self) -> usize {
        self.writes.load(Ordering::Relaxed)
    }
}

fn is_housekeeping(write: &Write) -> bool {
    let is_of_job = |change: &Change| match change {
        Change::Put(Put { key, .. }) | Change::Delete(key) => key.kind == Kind::KEY_ANNOUNCEMENT,
        _ => false,
    };
    match write.action {
        Action::Expire(_) => true,
        Action::None => write.changes.iter().all(is_of_job),
        _ => false,
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let asked_for = batch.iter().filter(|write| !is_housekeeping(write)).count();
        if asked_for == 0 {
            return self.inner.commit(batch).await;
        }
        self.writes.fetch_add(asked_for, Ordering::Relaxed);
        self.held.subscribe().wait_for(|held| !held).await.unwrap();
        let fault = self.next.lock().unwrap().take();
        match fault {
            Some(kind) => Err(kind.into()),
            None => self.inner.commit(batch).await,
        }
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
        if self.unreadable.load(Ordering::Relaxed) {
            return Err(StoreErrorKind::Unavailable.into());
        }
        self.inner.conversations(query).await
    }

    async fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        self.histories.fetch_add(1, Ordering::Relaxed);
        self.history_held.subscribe().wait_for(|held| !held).await.unwrap();
        self.inner.history(query).await
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
