//! Defects of pages.

use dm_core::{
    ConversationState, ConversationsQuery, HistoryPage, HistoryQuery, HistoryRange, InboxPage, InboxQuery,
    InboxSeq, OwnEntries, ServerSequence,
};

use super::{Defect, defects};

defects! {
    "pages": "a page holds one more than it may" => OneMore,
    "pages": "cursors are inclusive" => Inclusive,
    "pages": "the entry after a full page is passed over" => SkipsOne,
    "pages": "pages are not bounded by bytes" => Unbounded,
    "pages": "an entry larger than the bound is never shown" => NoOversized,
    "pages": "a full page says that it is the last" => NoMore,
    "pages": "conversations are listed by id" => ById,
    "pages": "a device is shown what it did itself" => ShowsOwn,
    "pages": "notices are shown to those who ask for messages" => ShowsNotices,
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
    fn list_page(&self, page: &mut Vec<ConversationState>) {
        page.sort_by_key(|state| state.conversation.id);
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
