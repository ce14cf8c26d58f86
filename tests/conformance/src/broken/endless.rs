//! Defects without an end: there are always more items, or there is never an answer.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use async_trait::async_trait;
use dm_core::store::{
    ConversationOrder, ConversationsQuery, InboxPage, InboxQuery, InboxSeq, MemoryStore, Outcome, Store,
    StoreError, StoreErrorKind, Write,
};

use super::defect::{Defect, defects};

defects! {
    "pages": "the head of an inbox stays ahead of its pages" => AheadForEver,
    "pages": "a list begins anew with every page" => Anew,
    "histories": "after ten commits each further one fails" => Fails,
}

/// Defects that a case cannot distinguish from a slow store: only the time limit of a case ends
/// them.
pub(super) const SILENT: &[super::Kind] = &[
    super::Kind {
        name: "a commit is never answered",
        module: "atomic",
        make: || std::sync::Arc::new(NeverAnswers),
    },
    super::Kind {
        name: "a commit blocks its thread forever",
        module: "atomic",
        make: || std::sync::Arc::new(Blocks),
    },
];

#[derive(Default)]
struct AheadForEver;

impl Defect for AheadForEver {
    fn inbox_page(&self, query: &InboxQuery, page: &mut InboxPage) {
        page.through = InboxSeq::new(page.through.get().max(query.after.get().saturating_add(1)));
        page.head = page.through.next();
    }
}

#[derive(Default)]
struct Anew;

impl Defect for Anew {
    fn list_query(&self, query: &mut ConversationsQuery) {
        query.order = match query.order {
            ConversationOrder::Active { .. } => ConversationOrder::Active { after: None },
            ConversationOrder::Opened { .. } => ConversationOrder::Opened { after: None },
        };
    }
}

#[derive(Default)]
struct Fails(AtomicUsize);

#[async_trait]
impl Defect for Fails {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0..10 => store.commit(batch).await,
            _ => Err(StoreErrorKind::Unavailable.into()),
        }
    }
}

struct NeverAnswers;

#[async_trait]
impl Defect for NeverAnswers {
    async fn commit(&self, _store: &MemoryStore, _batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        pending().await
    }
}

struct Blocks;

#[async_trait]
impl Defect for Blocks {
    async fn commit(&self, _store: &MemoryStore, _batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        loop {
            thread::park();
        }
    }
}
