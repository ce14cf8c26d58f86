//! Calls exactly at a limit, positions after a gap, and a store whose pages do not advance.

use async_trait::async_trait;
use dm_core::store::{
    ConversationsQuery, HistoryPage, HistoryQuery, InboxPage, InboxQuery, ListedConversation, Outcome,
    Record, RecordKey, ScanPage, ScanQuery, Store, StoreError, StoreErrorKind, Write,
};
use dm_core::{
    AckTarget, ConversationId, ConversationState, Delivery, Depth, DeviceState, Error, MemoryStore,
    MessageId, Principal, SessionEnd, UserId,
};

use crate::common::{DAY, World, on, seq, who};

#[tokio::test]
async fn an_acknowledgement_may_name_as_many_entries_as_the_limit() {
    for (list_page, pending_page) in [(10, 5), (5, 10)] {
        let world = World::configured(|config| {
            config.list_page = list_page;
            config.pending_page = pending_page;
        });
        let chat = world.open(1, 2).await;
        world.send_many(&who(1), chat, 12).await;
        let entries = |count| AckTarget::Entries((1..=count).map(seq).collect());
        assert_eq!(world.dm.acknowledge(&who(2), entries(10)).await.unwrap().acknowledged, 10);
        let refused = world.dm.acknowledge(&who(2), entries(11)).await;
        assert!(matches!(refused, Err(Error::TooLarge { limit: 10, .. })), "{refused:?}");

        let pending = world.dm.pending(&on(2, "desk"), Default::default()).await.unwrap();
        let known: Vec<MessageId> =
            pending.entries.iter().filter_map(|entry| Some(entry.message()?.id)).collect();
        let ids = |count| AckTarget::Messages(known.iter().copied().cycle().take(count).collect());
        assert_eq!(world.dm.acknowledge(&on(2, "desk"), ids(10)).await.unwrap().acknowledged, 10);
        let refused = world.dm.acknowledge(&on(2, "desk"), ids(11)).await;
        assert!(matches!(refused, Err(Error::TooLarge { limit: 10, .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn the_position_after_a_gap_is_the_gaps_end() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    // The device is registered before the entries expire, so that they are a gap for it.
    world.pending(&who(2)).await;
    world.send_many(&who(1), chat, 3).await;
    world.clock.advance(31 * DAY);
    world.dm.expire().await.unwrap();
    world.send(&who(1), chat, "new").await;
    let mut session = world.connect(&who(2)).await;
    assert_eq!(session.position(), seq(0));
    let Delivery::Gap(gap) = session.next().await.unwrap() else { panic!("no gap") };
    assert_eq!((gap.from, gap.to, session.position()), (seq(1), seq(4), seq(4)));
    let Delivery::Entry(entry) = session.next().await.unwrap() else { panic!("no entry") };
    assert_eq!((entry.seq, session.position()), (seq(5), seq(5)));
    assert_eq!(session.next().await.unwrap(), Delivery::CaughtUp { position: seq(5) });
}

/// A store whose pages of an inbox end where they start, although there are more entries.
struct StuckPages(MemoryStore);

#[async_trait]
impl Store for StuckPages {
    async fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        self.0.commit(batch).await
    }

    async fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError> {
        self.0.records(keys).await
    }

    async fn scan(&self, query: ScanQuery) -> Result<ScanPage, StoreError> {
        self.0.scan(query).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        self.0.conversation(id).await
    }

    async fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ListedConversation>, StoreError> {
        self.0.conversations(query).await
    }

    async fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        self.0.history(query).await
    }

    async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        let after = query.after;
        let page = self.0.inbox(query).await?;
        Ok(InboxPage { entries: Vec::new(), through: after, ..page })
    }

    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        self.0.devices(user).await
    }

    async fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        self.0.depth(who).await
    }
}

#[tokio::test]
async fn a_session_ends_at_a_page_that_does_not_advance() {
    let world = World::with(StuckPages(MemoryStore::new()), |_| ());
    let chat = world.open(1, 2).await;
    world.send(&who(1), chat, "one").await;
    let mut session = world.connect(&who(2)).await;
    let end = session.next().await.unwrap_err();
    let SessionEnd::Failed(Error::Unavailable(error)) = &end else { panic!("{end:?}") };
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
}
