//! [`Reads`], the reads of the store, each in a task of its own.

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::in_flight::InFlight;
use super::own_task::OwnTask;
use crate::conversation::ConversationState;
use crate::device::Principal;
use crate::ids::ConversationId;
use crate::numbers::InboxSeq;
use crate::record::{Record, RecordKey};
use crate::store::{
    ConversationsQuery, Depth, DeviceState, HistoryPage, HistoryQuery, InboxPage, InboxQuery,
    ListedConversation, ScanPage, ScanQuery, Store, StoreError,
};
use crate::time::Clock;
use crate::user::UserId;

/// A read of the store that runs in a task of its own.
pub(crate) type StoreRead<T> = OwnTask<T, StoreError>;

/// The reads of a store. Each method does the same as the method with its name in [`Store`].
/// Dropping the future aborts the read.
#[derive(Clone)]
pub(crate) struct Reads {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) runtime: Handle,
    pub(super) in_flight: InFlight,
}

impl Reads {
    pub(crate) fn records(&self, keys: Vec<RecordKey>) -> StoreRead<Vec<Option<Record>>> {
        self.run(move |store| async move { store.records(keys).await })
    }

    pub(crate) fn scan(&self, query: ScanQuery) -> StoreRead<ScanPage> {
        self.run(move |store| async move { store.scan(query).await })
    }

    pub(crate) fn conversation(&self, id: ConversationId) -> StoreRead<Option<ConversationState>> {
        self.run(move |store| async move { store.conversation(id).await })
    }

    pub(crate) fn conversations(&self, query: ConversationsQuery) -> StoreRead<Vec<ListedConversation>> {
        self.run(move |store| async move { store.conversations(query).await })
    }

    pub(crate) fn history(&self, query: HistoryQuery) -> StoreRead<Option<HistoryPage>> {
        self.run(move |store| async move { store.history(query).await })
    }

    pub(crate) fn inbox(&self, query: InboxQuery) -> StoreRead<InboxPage> {
        self.run(move |store| async move { store.inbox(query).await })
    }

    pub(crate) fn inbox_heads(&self, users: Vec<UserId>) -> StoreRead<Vec<InboxSeq>> {
        self.run(move |store| async move { store.inbox_heads(users).await })
    }

    pub(crate) fn devices(&self, user: UserId) -> StoreRead<Vec<DeviceState>> {
        self.run(move |store| async move { store.devices(user).await })
    }

    pub(crate) fn depth(&self, who: Principal) -> StoreRead<Depth> {
        self.run(move |store| async move { store.depth(who).await })
    }

    fn run<T, R>(&self, read: impl FnOnce(Arc<dyn Store>) -> R + Send + 'static) -> StoreRead<T>
    where
        T: Send + 'static,
        R: Future<Output = Result<T, StoreError>> + Send,
    {
        let (store, clock, in_flight) =
            (Arc::clone(&self.store), Arc::clone(&self.clock), self.in_flight.clone());
        OwnTask::new(&self.runtime, async move {
            let _call = in_flight.begin(clock.now());
            read(store).await
        })
    }
}
