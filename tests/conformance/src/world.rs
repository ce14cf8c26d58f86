//! The store of a case, opened at a fresh storage location.
//!
//! A call that must succeed panics otherwise, with the line of the case that made it and the write
//! or query.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use dm_core::store::{
    ConversationId, Done, HistoryPage, HistoryQuery, HistoryRange, InboxPage, InboxQuery, InboxSeq, Outcome,
    OwnEntries, Principal, Refusal, ServerSequence, Store, UserId, Write,
};

use crate::outcome::Sent;
use crate::{Harness, paging};

/// The line of the case that made a call.
pub(crate) type Line = &'static Location<'static>;

/// An open store at a fresh storage location.
#[derive(Debug)]
pub struct World<H: Harness> {
    harness: H,
    store: Option<Arc<H::Store>>,
}

impl<H: Harness> World<H> {
    /// Opens a store at a fresh storage location.
    ///
    /// # Panics
    /// Panics if the store does not open.
    pub async fn new() -> Self {
        let mut world = Self { harness: H::fresh().await, store: None };
        world.open().await;
        world
    }

    /// The storage location.
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
    /// Panics if a clone of the handle is still held, or if the store does not open.
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

    /// Commits a batch that must succeed; checks clause 3 as well.
    #[track_caller]
    pub fn commit(&self, batch: Vec<Write>) -> impl Future<Output = Vec<Outcome>> {
        self.commit_from(Location::caller(), batch)
    }

    /// Commits one write.
    #[track_caller]
    pub fn one(&self, write: Write) -> impl Future<Output = Outcome> {
        self.one_from(Location::caller(), write)
    }

    /// Commits one write that must not be refused.
    #[track_caller]
    pub fn done(&self, write: Write) -> impl Future<Output = Done> {
        self.done_from(Location::caller(), write)
    }

    /// Commits one write that must be refused, and returns the refusal.
    #[track_caller]
    pub fn refused(&self, write: Write) -> impl Future<Output = Refusal> {
        let line = Location::caller();
        async move {
            match self.one_from(line, write.clone()).await {
                Outcome::Refused(refusal) => refusal,
                outcome @ Outcome::Done(_) => {
                    panic!("{line}: {write:?}\nis not refused. Its outcome: {outcome:?}")
                }
            }
        }
    }

    /// Commits one append that must not be refused.
    #[track_caller]
    pub fn append(&self, write: impl Into<Write>) -> impl Future<Output = Sent> {
        let (line, write) = (Location::caller(), write.into());
        async move {
            let done = self.done_from(line, write.clone()).await;
            Sent::of(&done).unwrap_or_else(|| other_answer(line, &write, &done))
        }
    }

    pub(crate) async fn commit_from(&self, line: Line, batch: Vec<Write>) -> Vec<Outcome> {
        let outcomes = self.store().commit(batch.clone()).await;
        let outcomes =
            outcomes.unwrap_or_else(|error| panic!("{line}: {batch:?}\ncannot be committed: {error:?}"));
        assert_eq!(
            outcomes.len(),
            batch.len(),
            "{line}: the number of outcomes is not the number of writes: {batch:?}"
        );
        outcomes
    }

    async fn one_from(&self, line: Line, write: Write) -> Outcome {
        self.commit_from(line, vec![write]).await.remove(0)
    }

    pub(crate) async fn done_from(&self, line: Line, write: Write) -> Done {
        match self.one_from(line, write.clone()).await {
            Outcome::Done(done) => done,
            Outcome::Refused(refusal) => panic!("{line}: {write:?}\nis refused: {refusal:?}"),
        }
    }

    /// Reads all entries of an inbox that a device is shown, its own included.
    ///
    /// # Panics
    /// Panics if a read fails, or if the pages do not reach the head.
    #[track_caller]
    pub fn inbox(&self, who: &Principal) -> impl Future<Output = InboxPage> {
        let (line, own, limit, max_bytes) = (Location::caller(), OwnEntries::Include, 100_000, usize::MAX);
        let query = InboxQuery { who: who.clone(), after: InboxSeq::ZERO, own, limit, max_bytes };
        async move {
            let page = paging::to_the_head(&*self.store(), query).await;
            page.unwrap_or_else(|what| panic!("{line}: {what}"))
        }
    }

    /// Reads a conversation from its first message; `None` if the reader has no such conversation.
    #[track_caller]
    pub fn history(
        &self,
        reader: UserId,
        conversation: ConversationId,
    ) -> impl Future<Output = Option<HistoryPage>> {
        let (line, range) = (Location::caller(), HistoryRange::After(ServerSequence::ZERO));
        let query = HistoryQuery { reader, conversation, range, limit: 100_000, max_bytes: usize::MAX };
        async move {
            let page = self.store().history(query).await;
            page.unwrap_or_else(|error| panic!("{line}: {query:?}\ncannot be read: {error:?}"))
        }
    }
}

/// Fails a case whose write got the answer to another kind of action.
pub(crate) fn other_answer(line: Line, write: &Write, done: &Done) -> ! {
    panic!("{line}: {write:?}\nis answered as another kind of action: {done:?}")
}
