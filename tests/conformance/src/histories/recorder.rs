//! Makes calls to a store and records them.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use dm_core::store::{
    ConversationOrder, ConversationsQuery, DeviceId, HistoryQuery, HistoryRange, InboxPage, InboxQuery,
    InboxSeq, OwnEntries, Owner, Principal, RecordKey, ServerSequence, Store, StoreErrorKind, Tag, UserId,
    Write,
};

use super::{Call, DeviceView, InboxRead, Moment, Reply, Snapshot, UserView};
use crate::{build, paging};

/// Makes calls, and numbers the moments at which they begin and end.
pub(super) struct Recorder<S> {
    pub(super) store: Arc<S>,
    clock: AtomicU64,
}

impl<S: Store> Recorder<S> {
    pub(super) fn new(store: Arc<S>) -> Self {
        Self { store, clock: AtomicU64::new(1_000) }
    }

    pub(super) fn moment(&self) -> Moment {
        Moment(self.clock.fetch_add(1, Ordering::SeqCst))
    }

    /// Commits. If `patience` is set, the commit is dropped when it is not answered after so many
    /// polls; if it is answered, its answer is not recorded.
    pub(super) async fn commit(&self, writes: Vec<Write>, patience: Option<u64>) -> Call {
        let asked = self.moment();
        let mut reply = Reply::Unknown;
        {
            let mut commit = pin!(self.store.commit(writes.clone()));
            if let Some(polls) = patience {
                for _ in 0..polls {
                    if poll_fn(|cx| Poll::Ready(commit.as_mut().poll(cx).is_ready())).await {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            } else {
                reply = match commit.await {
                    Ok(outcomes) => Reply::Done(outcomes),
                    Err(error) if error.kind() == StoreErrorKind::OutcomeUnknown => Reply::Unknown,
                    Err(_) => Reply::Failed,
                };
            }
        }
        if let Reply::Done(outcomes) = &reply {
            assert_eq!(outcomes.len(), writes.len(), "the number of outcomes is not the number of writes");
        }
        Call { asked, answered: self.moment(), writes, reply }
    }

    /// Reads an inbox.
    pub(super) async fn read(&self, user: UserId, after: InboxSeq) -> InboxRead {
        let asked = self.moment();
        let page = inbox(&*self.store, Principal::new(user, auditor()), after, OwnEntries::Include).await;
        InboxRead { asked, answered: self.moment(), user, after, page }
    }
}

pub(super) async fn inbox(store: &impl Store, who: Principal, after: InboxSeq, own: OwnEntries) -> InboxPage {
    store.inbox(query(who, after, own)).await.expect("an inbox is read")
}

const fn query(who: Principal, after: InboxSeq, own: OwnEntries) -> InboxQuery {
    InboxQuery { who, after, own, limit: 1_000_000, max_bytes: usize::MAX }
}

/// Reads the whole state of the first users.
pub(super) async fn snapshot(store: &impl Store, users: u64) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for user in (0..users).map(build::user) {
        let order = ConversationOrder::Opened { after: None };
        let query = ConversationsQuery { user, order, kinds: Vec::new(), limit: 1_000 };
        let list = store.conversations(query).await.expect("a list is read");
        let list: Vec<_> = list.into_iter().map(|listed| listed.state).collect();
        for state in &list {
            let conversation = state.conversation.id;
            let range = HistoryRange::After(ServerSequence::ZERO);
            let (limit, max_bytes) = (1_000_000, usize::MAX);
            let query = HistoryQuery { reader: user, conversation, range, limit, max_bytes };
            let page = store.history(query).await.expect("history is read").expect("a listed conversation");
            snapshot.conversations.insert(conversation, page.messages);
        }
        let mut view = UserView { list, ..UserView::default() };
        let everything =
            whole(store, &Principal::new(user, auditor()), InboxSeq::ZERO, OwnEntries::Include).await;
        (view.entries, view.head, view.floor) = (everything.entries, everything.head, everything.floor);
        for state in store.devices(user).await.expect("devices are read") {
            let who = Principal::new(user, state.device.clone());
            let page = whole(store, &who, state.cursor, OwnEntries::Skip).await;
            let pending = page.entries.iter().map(|entry| entry.seq).collect();
            let depth = store.depth(who).await.expect("the depth is read");
            view.devices.push(DeviceView { state, pending, depth });
        }
        snapshot.users.insert(user, view);
    }
    let owners = snapshot.users.keys().copied().map(Owner::User);
    let owners: Vec<_> =
        owners.chain(snapshot.conversations.keys().copied().map(Owner::Conversation)).collect();
    for owner in owners {
        snapshot.fences.extend(fence(store, owner).await.map(|tag| (owner, tag)));
    }
    snapshot
}

/// Reads the tag of a fence.
pub(super) async fn fence(store: &impl Store, owner: Owner) -> Option<Tag> {
    let records = store.records(vec![RecordKey::fence(owner)]).await.expect("records are read");
    records.into_iter().next().flatten().map(|record| record.tag)
}

/// An inbox as a device sees it, in as many pages as the store needs.
async fn whole(store: &impl Store, who: &Principal, after: InboxSeq, own: OwnEntries) -> InboxPage {
    let page = paging::to_the_head(store, query(who.clone(), after, own)).await;
    page.unwrap_or_else(|what| panic!("{what}"))
}

/// The device of the snapshot and the readers. It is never registered, so that no entry is left out
/// for it.
fn auditor() -> DeviceId {
    "auditor".parse().expect("a device's name")
}
