//! The fetches of a device walk its own entries once, and not each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use dm_core::store::*;
use dm_core::*;

use crate::common::gate::{GatedStore, Kind};
use crate::common::{self, World, let_tasks_run, on, seq, texts, who};

/// A store in memory whose pages of an inbox end after `stretch` entries, shown or not, as the
/// pages of stores on disk do.
#[derive(Clone)]
struct ShortPages {
    inner: MemoryStore,
    stretch: u64,
    /// The number of entries that reads walked.
    walked: Arc<AtomicU64>,
    /// The number of entries that reads returned.
    shown: Arc<AtomicU64>,
}

impl ShortPages {
    fn new(stretch: u64) -> Self {
        Self { inner: MemoryStore::new(), stretch, walked: Arc::default(), shown: Arc::default() }
    }

    /// The numbers of entries walked and shown since the last call.
    fn counts(&self) -> (u64, u64) {
        (self.walked.swap(0, Ordering::Relaxed), self.shown.swap(0, Ordering::Relaxed))
    }
}

#[async_trait]
impl Store for ShortPages {
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
        self.inner.history(query).await
    }

    async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        let after = query.after.get();
        let mut page = self.inner.inbox(query).await?;
        page.through = page.through.min(InboxSeq::new(after.saturating_add(self.stretch)));
        page.entries.retain(|entry| entry.seq <= page.through);
        self.walked.fetch_add(page.through.get().saturating_sub(after), Ordering::Relaxed);
        self.shown.fetch_add(page.entries.len() as u64, Ordering::Relaxed);
        Ok(page)
    }

    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        self.inner.devices(user).await
    }

    async fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        self.inner.depth(who).await
    }
}

fn received(limit: Option<usize>) -> PendingQuery {
    PendingQuery { kind: PendingKind::Received, limit, after: None }
}

#[tokio::test]
async fn fetches_walk_own_entries_once() {
    let store = ShortPages::new(1_000);
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    world.send_many(&who(1), chat, 2_500).await;
    world.send(&who(2), chat, "answer").await;
    let fetch = async || {
        let answer = world.dm.pending(&who(1), received(None)).await.unwrap();
        // The cursor is moved after the answer.
        let_tasks_run().await;
        (texts(&answer.entries), answer.next)
    };
    // Each fetch moves the cursor by one page of the store.
    for _ in 0..3 {
        assert_eq!(fetch().await, (vec!["answer".to_owned()], None));
    }
    store.counts();
    assert_eq!(fetch().await, (vec!["answer".to_owned()], None));
    assert_eq!(store.counts(), (1, 1), "only the answer is left to walk");
    let cursor = world.dm.devices(&who(1)).await.unwrap()[0].cursor;
    assert_eq!(cursor, seq(2_501), "the notice and the own messages");
}

#[tokio::test]
async fn a_fetch_that_leaves_out_messages_of_another_device_commits_nothing() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    let (phone, desk) = (on(1, "phone"), on(1, "desk"));
    world.dm.pending(&desk, received(None)).await.unwrap();
    world.send(&desk, chat, "own").await;
    world.send_many(&phone, chat, 300).await;
    world.send(&who(2), chat, "answer").await;
    let before = store.batches().len();
    for _ in 0..2 {
        let answer = world.dm.pending(&desk, received(None)).await.unwrap();
        assert_eq!(texts(&answer.entries), ["answer"]);
        let_tasks_run().await;
    }
    assert_eq!(store.batches().len(), before);
}

#[tokio::test]
async fn an_entry_that_expires_after_a_fetch_is_still_reported_as_a_gap() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    world.send_many(&who(1), chat, 300).await;
    world.dm.pending(&who(1), received(None)).await.unwrap();
    // The fetch is answered, and its read for moving the cursor is held.
    store.hold_before_inbox();
    let_tasks_run().await;
    world.send(&who(2), chat, "lost").await;
    world.clock.advance(40 * common::DAY);
    world.dm.expire().await.unwrap();
    world.send_many(&who(1), chat, 300).await;
    store.release_inbox();
    let_tasks_run().await;
    let answer = world.dm.pending(&who(1), received(None)).await.unwrap();
    assert_eq!(answer.gap.map(|gap| gap.to), Some(seq(302)));
}

#[tokio::test]
async fn at_most_64_cursor_moves_run_while_commits_hang() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    world.dm.pending(&who(1), received(None)).await.unwrap();
    world.send_many(&who(1), chat, 300).await;
    world.send(&who(2), chat, "answer").await;
    let_tasks_run().await;
    let before = store.batches().len();
    store.hold_commits();
    for _ in 0..200 {
        let answer = world.dm.pending(&who(1), received(None)).await.unwrap();
        assert_eq!(texts(&answer.entries), ["answer"]);
    }
    let_tasks_run().await;
    store.release_commits();
    // This send is committed after all cursor moves that the fetches left.
    world.send(&who(2), chat, "last").await;
    let moves = store.kinds()[before..].iter().flatten().filter(|kind| **kind == Kind::Other).count();
    assert_eq!(moves, 64);
}

#[tokio::test]
async fn a_fetch_of_received_messages_does_not_read_those_of_another_device() {
    let store = ShortPages::new(1_000);
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(2, 1).await;
    let (phone, desk) = (on(1, "phone"), on(1, "desk"));
    world.send_many(&phone, chat, 1_500).await;
    world.send(&who(2), chat, "answer").await;
    for _ in 0..2 {
        store.counts();
        let answer = world.dm.pending(&desk, received(None)).await.unwrap();
        let_tasks_run().await;
        assert_eq!((texts(&answer.entries), answer.next), (vec!["answer".to_owned()], None));
        let (_, shown) = store.counts();
        assert_eq!(shown, 2, "the answer, and the first entry that the cursor must not pass");
    }
    let sent = PendingQuery { kind: PendingKind::ReceivedAndSent, limit: Some(2), after: None };
    assert_eq!(texts(&world.dm.pending(&desk, sent).await.unwrap().entries), ["1", "2"]);
}

#[tokio::test]
async fn a_message_before_own_entries_is_not_acknowledged_with_them() {
    let world = World::with(ShortPages::new(1_000), |_| ());
    let chat = world.open(1, 2).await;
    world.send(&who(2), chat, "first").await;
    world.send_many(&who(1), chat, 600).await;
    for _ in 0..2 {
        let answer = world.dm.pending(&who(1), received(None)).await.unwrap();
        assert_eq!(texts(&answer.entries), ["first"]);
    }
    let_tasks_run().await;
    assert_eq!(world.dm.devices(&who(1)).await.unwrap()[0].cursor, seq(0));
}

#[tokio::test]
async fn a_fetch_without_a_limit_is_one_page_and_one_with_a_limit_may_end_early() {
    let store = ShortPages::new(1_000);
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(2, 1).await;
    let (phone, desk) = (on(1, "phone"), on(1, "desk"));
    world.send_many(&phone, chat, 20_000).await;
    world.send(&who(2), chat, "answer").await;
    let answer = world.dm.pending(&desk, received(None)).await.unwrap();
    assert_eq!((texts(&answer.entries), answer.next), (vec!["answer".to_owned()], None));

    store.counts();
    let mut paging = received(Some(10));
    let first = world.dm.pending(&desk, paging).await.unwrap();
    let (walked, _) = store.counts();
    assert!(first.entries.is_empty());
    assert!(walked < 19_000, "one call walked {walked} entries");
    paging.after = first.next;
    let second = world.dm.pending(&desk, paging).await.unwrap();
    assert_eq!((texts(&second.entries), second.next), (vec!["answer".to_owned()], None));
}

#[tokio::test]
async fn a_gap_is_returned_until_it_is_acknowledged_even_after_own_sends() {
    let world = World::with(ShortPages::new(1_000), |_| ());
    let chat = world.open(2, 1).await;
    world.send(&who(2), chat, "lost").await;
    assert_eq!(world.pending(&who(1)).await.len(), 2);
    world.clock.advance(40 * common::DAY);
    world.dm.expire().await.unwrap();
    world.send_many(&who(1), chat, 600).await;
    for _ in 0..2 {
        let answer = world.dm.pending(&who(1), received(None)).await.unwrap();
        assert_eq!(answer.gap.map(|gap| gap.to), Some(seq(2)));
    }
}

#[tokio::test]
async fn a_page_that_does_not_advance_ends_the_fetch_with_an_error() {
    let world = World::with(ShortPages::new(0), |_| ());
    let chat = world.open(1, 2).await;
    world.send(&who(1), chat, "1").await;
    match world.dm.pending(&who(2), PendingQuery::default()).await {
        Err(Error::Unavailable(error)) => assert_eq!(error.kind(), StoreErrorKind::Corrupt),
        other => panic!("{other:?}"),
    }
}
