//! A store at a place of its own, as the cases see it.

use std::sync::Arc;

use dm_core::{
    Appended, ConversationId, HistoryPage, HistoryQuery, HistoryRange, InboxPage, InboxQuery, InboxSeq,
    Outcome, OwnEntries, Principal, Refusal, ServerSequence, Store, UserId, Write,
};

use crate::Harness;

/// An open store at a fresh place.
#[derive(Debug)]
pub struct World<H: Harness> {
    harness: H,
    store: Option<Arc<H::Store>>,
}

impl<H: Harness> World<H> {
    /// A store at a fresh place.
    ///
    /// # Panics
    /// When it does not open.
    pub async fn new() -> Self {
        let mut world = Self { harness: H::fresh().await, store: None };
        world.open().await;
        world
    }

    /// The place.
    pub const fn harness(&self) -> &H {
        &self.harness
    }

    /// The store. Clones of it must be dropped before [`reopen`](Self::reopen).
    pub fn store(&self) -> Arc<H::Store> {
        Arc::clone(self.store.as_ref().expect("the store is open between calls of `reopen`"))
    }

    /// Drops the store and opens it again.
    ///
    /// # Panics
    /// When a clone of the handle is still held, or when it does not open.
    pub async fn reopen(&mut self) {
        let handle = Arc::try_unwrap(self.store.take().expect("open"));
        drop(handle.unwrap_or_else(|_| panic!("the case still holds the store")));
        self.open().await;
    }

    async fn open(&mut self) {
        let store =
            self.harness.open().await.unwrap_or_else(|error| panic!("the store does not open: {error:?}"));
        self.store = Some(Arc::new(store));
    }

    /// Commits a batch that must go well as a whole; clause 3 is checked on the way.
    pub async fn commit(&self, batch: Vec<Write>) -> Vec<Outcome> {
        let writes = batch.len();
        let outcomes =
            self.store().commit(batch).await.unwrap_or_else(|error| panic!("the commit failed: {error:?}"));
        assert_eq!(outcomes.len(), writes, "another number of outcomes than of writes");
        outcomes
    }

    /// Commits one write.
    pub async fn one(&self, write: Write) -> Outcome {
        self.commit(vec![write]).await.remove(0)
    }

    /// Commits one write that must not be refused.
    pub async fn done(&self, write: Write) -> Outcome {
        match self.one(write).await {
            Outcome::Refused(refusal) => panic!("refused: {refusal:?}"),
            outcome => outcome,
        }
    }

    /// Commits one write that must be refused, and says why it was.
    pub async fn refused(&self, write: Write) -> Refusal {
        match self.one(write).await {
            Outcome::Refused(refusal) => refusal,
            outcome => panic!("not refused: {outcome:?}"),
        }
    }

    /// Commits one append that must not be refused.
    pub async fn append(&self, write: impl Into<Write>) -> Appended {
        match self.done(write.into()).await {
            Outcome::MessageAppended(appended) => appended,
            outcome => panic!("another write's outcome: {outcome:?}"),
        }
    }

    /// Everything in an inbox that a device is shown, its own entries included.
    ///
    /// # Panics
    /// When it is not read, or when the pages do not move on.
    pub async fn inbox(&self, who: &Principal) -> InboxPage {
        let (own, limit, max_bytes) = (OwnEntries::Include, 100_000, usize::MAX);
        let mut query = InboxQuery { who: who.clone(), after: InboxSeq::ZERO, own, limit, max_bytes };
        let mut entries = Vec::new();
        loop {
            let mut page = self.page(query.clone()).await;
            entries.append(&mut page.entries);
            if page.through >= page.head {
                return InboxPage { entries, ..page };
            }
            assert!(page.through > query.after, "a page that does not move on: {page:?}");
            query.after = page.through;
        }
    }

    /// A conversation from its first message on; `None` when there is none for the reader.
    pub async fn history(&self, reader: UserId, conversation: ConversationId) -> Option<HistoryPage> {
        let range = HistoryRange::After(ServerSequence::ZERO);
        let query = HistoryQuery { reader, conversation, range, limit: 100_000, max_bytes: usize::MAX };
        self.store().history(query).await.unwrap_or_else(|error| panic!("history is not read: {error:?}"))
    }
}
