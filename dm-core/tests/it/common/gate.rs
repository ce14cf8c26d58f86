//! A store whose calls can be held, made to fail, and counted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use dm_core::store::{
    Action, Change, ConversationsQuery, HistoryPage, HistoryQuery, InboxPage, InboxQuery, ListedConversation,
    Outcome, Record, RecordKey, Refusal, ScanPage, ScanQuery, Store, StoreError, StoreErrorKind, StoreStatus,
    Write,
};
use dm_core::{
    ConversationId, ConversationState, Depth, DeviceState, InboxSeq, MemoryStore, Principal, UserId,
};
use tokio::sync::Semaphore;

/// The fault of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    None,
    /// The commit fails, and nothing is stored.
    Fail(StoreErrorKind),
    /// The batch is stored, and its outcome is reported as unknown.
    StoredUnknown,
    /// The batch is stored, and the commit returns one outcome too few.
    Short,
    /// The commit panics.
    Panic,
}

/// The kind of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Append,
    Expire,
    /// A write without an action that posts entries.
    Posts,
    Other,
}

/// A [`MemoryStore`] behind gates, which start open.
#[derive(Clone)]
pub struct GatedStore {
    pub inner: MemoryStore,
    commits: Arc<Semaphore>,
    hold_next: Arc<AtomicBool>,
    before_inbox: Arc<Semaphore>,
    after_inbox: Arc<Semaphore>,
    inbox_reads: Arc<AtomicUsize>,
    heads: Arc<Semaphore>,
    heads_short: Arc<AtomicBool>,
    heads_panic: Arc<AtomicBool>,
    heads_asked: Arc<Mutex<Vec<usize>>>,
    devices: Arc<Semaphore>,
    devices_fail: Arc<AtomicBool>,
    /// Each batch with posts takes one permit for good.
    posts: Arc<Semaphore>,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    post_faults: Arc<Mutex<VecDeque<Fault>>>,
    failing: Arc<Mutex<Vec<(Kind, StoreErrorKind)>>>,
    is_full: Arc<AtomicBool>,
    batches: Arc<Mutex<Vec<Vec<Kind>>>>,
    status: Arc<Mutex<StoreStatus>>,
}

/// More permits than any test needs.
const OPEN: usize = 1_000_000;

impl GatedStore {
    pub fn new() -> Self {
        let open = || Arc::new(Semaphore::new(OPEN));
        Self {
            inner: MemoryStore::new(),
            commits: open(),
            hold_next: Arc::default(),
            before_inbox: open(),
            after_inbox: open(),
            inbox_reads: Arc::default(),
            heads: open(),
            heads_short: Arc::default(),
            heads_panic: Arc::default(),
            heads_asked: Arc::default(),
            devices: open(),
            devices_fail: Arc::default(),
            posts: open(),
            faults: Arc::default(),
            post_faults: Arc::default(),
            failing: Arc::default(),
            is_full: Arc::default(),
            batches: Arc::default(),
            status: Arc::default(),
        }
    }

    pub fn hold_commits(&self) {
        self.commits.forget_permits(OPEN);
    }

    pub fn release_commits(&self) {
        self.commits.add_permits(OPEN - self.commits.available_permits());
    }

    /// Releases one commit and holds the next one.
    pub fn release_one_commit(&self) {
        self.hold_next.store(true, Ordering::Relaxed);
        self.release_commits();
    }

    /// Holds the batches with posts. Other batches are committed.
    pub fn hold_posts(&self) {
        self.posts.forget_permits(OPEN);
    }

    /// Releases the next `count` batches with posts.
    pub fn release_posts(&self, count: usize) {
        self.posts.add_permits(count);
    }

    /// Releases all batches with posts.
    pub fn release_all_posts(&self) {
        self.posts.add_permits(OPEN - self.posts.available_permits());
    }

    pub fn hold_before_inbox(&self) {
        self.before_inbox.forget_permits(OPEN);
    }

    pub fn hold_after_inbox(&self) {
        self.after_inbox.forget_permits(OPEN);
    }

    pub fn release_inbox(&self) {
        for gate in [&self.before_inbox, &self.after_inbox] {
            gate.add_permits(OPEN - gate.available_permits());
        }
    }

    /// The number of inbox pages read so far.
    pub fn inbox_reads(&self) -> usize {
        self.inbox_reads.load(Ordering::Relaxed)
    }

    pub fn hold_heads(&self) {
        self.heads.forget_permits(OPEN);
    }

    pub fn release_heads(&self) {
        self.heads.add_permits(OPEN - self.heads.available_permits());
    }

    /// Makes all later reads of heads return one head too few.
    pub fn shorten_heads(&self) {
        self.heads_short.store(true, Ordering::Relaxed);
    }

    /// Makes the next read of heads panic.
    pub fn panic_at_heads(&self) {
        self.heads_panic.store(true, Ordering::Relaxed);
    }

    /// The number of users in each read of heads so far.
    pub fn heads_asked(&self) -> Vec<usize> {
        self.heads_asked.lock().unwrap().clone()
    }

    pub fn hold_devices(&self) {
        self.devices.forget_permits(OPEN);
    }

    /// Releases the held reads of devices, which then succeed or fail.
    pub fn release_devices(&self, succeed: bool) {
        self.devices_fail.store(!succeed, Ordering::Relaxed);
        self.devices.add_permits(OPEN - self.devices.available_permits());
    }

    /// Sets the condition of the store to the default, changed by `change`.
    pub fn set_status(&self, change: impl FnOnce(&mut StoreStatus)) {
        let mut status = self.status.lock().unwrap();
        *status = StoreStatus::default();
        change(&mut status);
    }

    /// Sets the fault of the next commit. A further call sets that of the commit after it.
    pub fn next_commit(&self, fault: Fault) {
        self.faults.lock().unwrap().push_back(fault);
    }

    /// Sets the fault of the next batch with posts. A further call sets that of the batch after it.
    pub fn next_posts(&self, fault: Fault) {
        self.post_faults.lock().unwrap().push_back(fault);
    }

    /// Makes every later commit fail that has a write of a kind; `None` lets them succeed again.
    pub fn fail(&self, kind: Kind, error: Option<StoreErrorKind>) {
        let mut failing = self.failing.lock().unwrap();
        failing.retain(|(failing, _)| *failing != kind);
        failing.extend(error.map(|error| (kind, error)));
    }

    /// Whether later writes that take room are refused, as by a store on a full disk.
    pub fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// The number of writes of a kind that were committed so far, failed ones included.
    pub fn count(&self, kind: Kind) -> usize {
        self.kinds().iter().flatten().filter(|written| **written == kind).count()
    }

    /// Commits a batch. If the store is full, the writes that take room are refused.
    async fn write(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        if !self.is_full.load(Ordering::Relaxed) {
            return self.inner.commit(batch).await;
        }
        let mut outcomes = Vec::new();
        for write in batch {
            let puts = write.changes.iter().any(|change| matches!(change, Change::Put(_)));
            if puts || matches!(kind(&write), Kind::Append | Kind::Posts) {
                outcomes.push(Outcome::Refused(Refusal::NoRoom));
            } else {
                outcomes.append(&mut self.inner.commit(vec![write]).await?);
            }
        }
        Ok(outcomes)
    }

    /// The sizes of the batches committed so far.
    pub fn batches(&self) -> Vec<usize> {
        self.kinds().iter().map(Vec::len).collect()
    }

    /// The kinds of the writes in each of the batches committed so far.
    pub fn kinds(&self) -> Vec<Vec<Kind>> {
        self.batches.lock().unwrap().clone()
    }
}

fn kind(write: &Write) -> Kind {
    match write.action {
        Action::AppendMessage(_) => Kind::Append,
        Action::Expire(_) => Kind::Expire,
        Action::None if !write.posts.is_empty() => Kind::Posts,
        _ => Kind::Other,
    }
}

async fn pass(gate: &Semaphore) {
    gate.acquire().await.unwrap().forget();
    gate.add_permits(1);
}

#[async_trait]
impl Store for GatedStore {
    async fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        pass(&self.commits).await;
        if self.hold_next.swap(false, Ordering::Relaxed) {
            self.hold_commits();
        }
        let kinds: Vec<_> = batch.iter().map(kind).collect();
        let mut faults = &self.faults;
        if kinds.contains(&Kind::Posts) {
            self.posts.acquire().await.unwrap().forget();
            faults = &self.post_faults;
        }
        let fault = faults.lock().unwrap().pop_front();
        let failing = self.failing.lock().unwrap().iter().find(|(kind, _)| kinds.contains(kind)).copied();
        self.batches.lock().unwrap().push(kinds);
        if let Some((_, error)) = failing {
            return Err(error.into());
        }
        match fault {
            None | Some(Fault::None) => self.write(batch).await,
            Some(Fault::Fail(kind)) => Err(kind.into()),
            Some(Fault::StoredUnknown) => {
                self.write(batch).await?;
                Err(StoreErrorKind::OutcomeUnknown.into())
            }
            Some(Fault::Short) => {
                let mut outcomes = self.write(batch).await?;
                outcomes.pop();
                Ok(outcomes)
            }
            Some(Fault::Panic) => panic!("a store that panics"),
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
        self.inner.conversations(query).await
    }

    async fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        self.inner.history(query).await
    }

    async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        self.inbox_reads.fetch_add(1, Ordering::Relaxed);
        pass(&self.before_inbox).await;
        let page = self.inner.inbox(query).await;
        pass(&self.after_inbox).await;
        page
    }

    async fn inbox_heads(&self, mut users: Vec<UserId>) -> Result<Vec<InboxSeq>, StoreError> {
        self.heads_asked.lock().unwrap().push(users.len());
        assert!(!self.heads_panic.swap(false, Ordering::Relaxed), "a store that panics");
        pass(&self.heads).await;
        if self.heads_short.load(Ordering::Relaxed) {
            users.pop();
        }
        self.inner.inbox_heads(users).await
    }

    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        pass(&self.devices).await;
        if self.devices_fail.load(Ordering::Relaxed) {
            return Err(StoreErrorKind::Unavailable.into());
        }
        self.inner.devices(user).await
    }

    async fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        self.inner.depth(who).await
    }

    fn status(&self) -> StoreStatus {
        *self.status.lock().unwrap()
    }
}
