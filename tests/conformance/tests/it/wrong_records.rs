//! Stores that are wrong about conditions, records, gates or posts fail the model test, and those
//! that are wrong about fences fail the histories.

use async_trait::async_trait;
use dm_conformance::histories::many_senders_in_few_conversations;
use dm_conformance::model::{Search, search};
use dm_conformance::{Harness, World};
use dm_core::store::*;

/// A store that changes writes before it applies them, and pages of records before it returns them.
struct Wrong {
    store: MemoryStore,
    write: fn(&mut Write),
    page: fn(&mut ScanPage),
}

#[async_trait]
impl Store for Wrong {
    async fn commit(&self, mut batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        batch.iter_mut().for_each(self.write);
        self.store.commit(batch).await
    }

    async fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError> {
        self.store.records(keys).await
    }

    async fn scan(&self, query: ScanQuery) -> Result<ScanPage, StoreError> {
        let mut page = self.store.scan(query).await?;
        (self.page)(&mut page);
        Ok(page)
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        self.store.conversation(id).await
    }

    async fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ListedConversation>, StoreError> {
        self.store.conversations(query).await
    }

    async fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        self.store.history(query).await
    }

    async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        self.store.inbox(query).await
    }

    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        self.store.devices(user).await
    }

    async fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        self.store.depth(who).await
    }
}

macro_rules! wrong {
    ($($about:literal $name:ident: $write:expr, $page:expr;)*) => {$(
        #[doc = $about]
        struct $name(MemoryStore);

        impl Harness for $name {
            type Store = Wrong;

            async fn fresh() -> Self {
                Self(MemoryStore::new())
            }

            async fn open(&self) -> Result<Wrong, StoreError> {
                Ok(Wrong { store: self.0.clone(), write: $write, page: $page })
            }
        }
    )*};
}

const fn nothing<T>(_: &mut T) {}

wrong! {
    "Fences are not checked." NoFences: |write| {
        write.expects.retain(|expect| !matches!(expect, Expect::Fence { .. }));
    }, nothing;
    "Tags are not checked." NoTags: |write| {
        write.expects.retain(|expect| !matches!(expect, Expect::Tagged(..)));
    }, nothing;
    "The conditions are checked from the last one." LastFirst: |write| write.expects.reverse(), nothing;
    "A record that is raised may become smaller." Lowers: |write| {
        for change in &mut write.changes {
            if let Change::Raise(put) = change {
                *change = Change::Put(put.clone());
            }
        }
    }, nothing;
    "Only the gates of users are changed." NoGates: |write| {
        write.changes.retain(|change| !matches!(change, Change::Gate(_)));
    }, nothing;
    "Posts are for all devices." ForAll: |write| {
        write.posts.iter_mut().for_each(|post| post.addressee = None);
    }, nothing;
    "A prefix of one byte is taken for the whole name." WholeNames: |write| {
        for change in &mut write.changes {
            if let Change::Clear(under) = change && !under.name.as_bytes().is_empty() {
                *change = Change::Delete(under.first_key());
            }
        }
    }, nothing;
    "The floor of revisions is not kept." NoFloor: nothing, |page| page.revisions.floor = Revision::ZERO;
}

fn is_found<H: Harness>() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = search::<H>(runtime.handle(), Search { cases: 256, seed: 5 });
    assert!(found.is_err(), "{} is not found", std::any::type_name::<H>());
}

#[test]
fn a_store_that_does_not_check_conditions_is_found_out() {
    is_found::<NoFences>();
    is_found::<NoTags>();
    is_found::<LastFirst>();
}

#[test]
fn a_store_that_changes_records_wrongly_is_found_out() {
    is_found::<Lowers>();
    is_found::<WholeNames>();
    is_found::<NoFloor>();
}

#[test]
fn a_store_without_gates_or_addressees_is_found_out() {
    is_found::<NoGates>();
    is_found::<ForAll>();
}

#[test]
#[should_panic(expected = "StaleFence")]
fn histories_find_messages_outside_the_puts_of_their_fence() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async { many_senders_in_few_conversations(World::<NoFences>::new().await).await });
}
