//! Defects of pages.

use std::collections::HashSet;

use async_trait::async_trait;
use dm_core::store::{
    ConversationsQuery, HistoryPage, HistoryQuery, HistoryRange, InboxPage, InboxQuery, InboxSeq,
    ListedConversation, MemoryStore, OwnEntries, ServerSequence, Store as _, StoreError, UserId,
};

use super::corners::extent;
use super::defect::{Defect, defects};

defects! {
    "pages": "a page holds one more than it may" => OneMore,
    "pages": "cursors are inclusive" => Inclusive,
    "pages": "the entry after a full page is skipped" => SkipsOne,
    "pages": "pages are not bounded by bytes" => Unbounded,
    "pages": "an entry larger than the bound is never shown" => NoOversized,
    "pages": "a full page says that it is the last" => NoMore,
    "pages": "conversations are listed by id" => ById,
    "pages": "a device is shown its own entries" => ShowsOwn,
    "pages": "notices are shown to queries for messages" => ShowsNotices,
    "pages": "the newest number of a user is returned once" => HeadsOnce,
    "pages": "the newest number is that of the newest entry held" => HeadsHeld,
    "pages": "newest numbers of at most 256 users are returned" => HeadsOf256,
}

#[derive(Default)]
struct OneMore;

impl Defect for OneMore {
    fn inbox_query(&self, query: &mut InboxQuery) {
        query.limit += 1;
    }

    fn history_query(&self, query: &mut HistoryQuery) {
        query.limit += 1;
    }

    fn list_query(&self, query: &mut ConversationsQuery) {
        query.limit += 1;
    }
}

#[derive(Default)]
struct Inclusive;

impl Defect for Inclusive {
    fn inbox_query(&self, query: &mut InboxQuery) {
        query.after = InboxSeq::new(query.after.get().saturating_sub(1));
    }

    fn history_query(&self, query: &mut HistoryQuery) {
        if let HistoryRange::After(after) = query.range {
            query.range = HistoryRange::After(ServerSequence::new(after.get().saturating_sub(1)));
        }
    }
}

#[derive(Default)]
struct SkipsOne;

impl Defect for SkipsOne {
    fn inbox_page(&self, _query: &InboxQuery, page: &mut InboxPage) {
        page.through = page.through.next().min(page.head);
    }
}

#[derive(Default)]
struct Unbounded;

impl Defect for Unbounded {
    fn inbox_query(&self, query: &mut InboxQuery) {
        query.max_bytes = usize::MAX;
    }

    fn history_query(&self, query: &mut HistoryQuery) {
        query.max_bytes = usize::MAX;
    }
}

#[derive(Default)]
struct NoOversized;

impl Defect for NoOversized {
    fn inbox_page(&self, query: &InboxQuery, page: &mut InboxPage) {
        page.entries.retain(|entry| entry.cost() <= query.max_bytes);
    }
}

#[derive(Default)]
struct NoMore;

impl Defect for NoMore {
    fn history_page(&self, page: &mut HistoryPage) {
        page.has_more = false;
    }
}

#[derive(Default)]
struct ById;

impl Defect for ById {
    fn list_page(&self, page: &mut Vec<ListedConversation>) {
        page.sort_by_key(|listed| listed.state.conversation.id);
    }
}

#[derive(Default)]
struct ShowsOwn;

impl Defect for ShowsOwn {
    fn inbox_query(&self, query: &mut InboxQuery) {
        query.own = OwnEntries::Include;
    }
}

#[derive(Default)]
struct ShowsNotices;

impl Defect for ShowsNotices {
    fn inbox_query(&self, query: &mut InboxQuery) {
        if query.own == OwnEntries::ReceivedOnly {
            query.own = OwnEntries::Skip;
        }
    }
}

#[derive(Default)]
struct HeadsOnce;

#[async_trait]
impl Defect for HeadsOnce {
    async fn inbox_heads(
        &self,
        store: &MemoryStore,
        mut users: Vec<UserId>,
    ) -> Result<Vec<InboxSeq>, StoreError> {
        let mut seen = HashSet::new();
        users.retain(|user| seen.insert(*user));
        store.inbox_heads(users).await
    }
}

#[derive(Default)]
struct HeadsHeld;

#[async_trait]
impl Defect for HeadsHeld {
    async fn inbox_heads(
        &self,
        store: &MemoryStore,
        users: Vec<UserId>,
    ) -> Result<Vec<InboxSeq>, StoreError> {
        let mut heads = Vec::new();
        for user in users {
            let (head, floor) = extent(store, user).await?;
            heads.push(if head == floor { InboxSeq::ZERO } else { head });
        }
        Ok(heads)
    }
}

#[derive(Default)]
struct HeadsOf256;

#[async_trait]
impl Defect for HeadsOf256 {
    async fn inbox_heads(
        &self,
        store: &MemoryStore,
        mut users: Vec<UserId>,
    ) -> Result<Vec<InboxSeq>, StoreError> {
        users.truncate(256);
        store.inbox_heads(users).await
    }
}
