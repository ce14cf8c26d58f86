//! Stores that are wrong on purpose: they prove that the suite catches what it claims to catch.
//!
//! Each is the store in memory with one [`Defect`] between it and its caller.

mod caps;
mod commits;
mod corners;
mod deliveries;
mod endless;
mod pages;
mod plain;
mod writes;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dm_core::store::{
    ConversationId, ConversationState, ConversationsQuery, Depth, DeviceState, HistoryPage, HistoryQuery,
    InboxPage, InboxQuery, InboxSeq, KeyRecord, MemoryStore, Outcome, Principal, Store, StoreError, UserId,
    Write,
};

use crate::{Harness, cases};

/// One thing that a store gets wrong. What a defect does not change goes to the store in memory as it is.
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
    fn list_page(&self, _page: &mut Vec<ConversationState>) {}

    /// Commits a batch.
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        store.commit(batch).await
    }

    /// Which store is read, in place of the one that is written.
    fn read<'a>(&'a self, store: &'a MemoryStore) -> &'a MemoryStore {
        store
    }

    /// Which store is read for devices and what is pending for them.
    fn read_devices<'a>(&'a self, store: &'a MemoryStore) -> &'a MemoryStore {
        self.read(store)
    }

    /// How often the place was synced.
    fn syncs(&self) -> Option<u64> {
        None
    }

    /// Opens the place.
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
    /// What is wrong, in words.
    pub name: &'static str,
    /// The module whose cases must catch it.
    pub module: &'static str,
    make: Make,
}

/// The module of the case that takes minutes to shrink what it finds.
const MODEL: &str = "model";

/// Which cases examine a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of the module that must catch it.
    OwnModule,
    /// All.
    AllModules,
}

/// Makes a defect for a fresh place.
type Make = fn() -> Arc<dyn Defect>;

/// Lists defects with the modules that must catch them.
macro_rules! defects {
    ($($module:literal: $name:literal => $defect:ty,)*) => {
        pub(super) const KINDS: &[super::Kind] = &[$(
            super::Kind {
                name: $name,
                module: $module,
                make: || std::sync::Arc::<$defect>::default(),
            },
        )*];
    };
}
use defects;

/// All kinds of defects.
#[must_use]
pub fn kinds() -> Vec<Kind> {
    [
        commits::KINDS,
        writes::KINDS,
        deliveries::KINDS,
        pages::KINDS,
        caps::KINDS,
        corners::KINDS,
        plain::KINDS,
        endless::KINDS,
    ]
    .concat()
}

/// The module and the name of each case, but the model's.
#[must_use]
pub fn case_names() -> Vec<(&'static str, &'static str)> {
    let cases = cases::<Place>();
    cases.iter().filter(|case| case.module != MODEL).map(|case| (case.module, case.name)).collect()
}

/// Defects that no case catches before its time limit.
#[must_use]
pub const fn silent() -> &'static [Kind] {
    endless::SILENT
}

impl Kind {
    /// A store with this defect.
    #[must_use]
    pub fn store(&self) -> impl Store {
        Broken { store: MemoryStore::new(), defect: (self.make)() }
    }

    /// Whether a store with this defect passes the case of a name.
    ///
    /// # Panics
    /// When there is no such case.
    #[must_use]
    pub fn passes(&self, name: &str, limit: Duration) -> bool {
        let before = CHOSEN.replace(Some(self.make));
        let cases = cases::<Place>();
        let case = cases.iter().find(|case| case.name == name);
        let passes = case.expect("a case of the suite").passes_within(limit);
        CHOSEN.set(before);
        passes
    }

    /// Runs cases against a store with this defect, those of its own module or of all: the names of
    /// those that fail, by their modules. The model is not asked.
    #[must_use]
    pub fn caught_by(&self, scope: Scope) -> BTreeMap<&'static str, Vec<&'static str>> {
        let before = CHOSEN.replace(Some(self.make));
        let mut caught = BTreeMap::<_, Vec<_>>::new();
        for case in cases::<Place>() {
            let examines = scope == Scope::AllModules || case.module == self.module;
            if examines && case.module != MODEL && !case.passes() {
                caught.entry(case.module).or_default().push(case.name);
            }
        }
        CHOSEN.set(before);
        caught
    }
}

thread_local! {
    /// The defect of the stores that this thread makes. One type for all defects: the cases are compiled once.
    static CHOSEN: Cell<Option<Make>> = const { Cell::new(None) };
}

/// The defect under examination, to be handed from a thread to one that it starts.
#[derive(Clone, Copy)]
pub(crate) struct Examined(Option<Make>);

impl Examined {
    pub(crate) fn of_this_thread() -> Self {
        Self(CHOSEN.get())
    }

    pub(crate) fn on_this_thread(self) {
        CHOSEN.set(self.0);
    }
}

/// Where a broken store keeps its data.
struct Place {
    store: MemoryStore,
    defect: Arc<dyn Defect>,
}

/// A store with a defect.
struct Broken {
    store: MemoryStore,
    defect: Arc<dyn Defect>,
}

impl Harness for Place {
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

    async fn key(&self, user: UserId) -> Result<Option<KeyRecord>, StoreError> {
        self.read().key(user).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        self.read().conversation(id).await
    }

    async fn conversations(
        &self,
        mut query: ConversationsQuery,
    ) -> Result<Vec<ConversationState>, StoreError> {
        self.defect.list_query(&mut query);
        let mut page = self.read().conversations(query).await?;
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
        self.defect.read_devices(&self.store).devices(user).await
    }

    async fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        self.defect.read_devices(&self.store).depth(who).await
    }
}
