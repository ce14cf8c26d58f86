//! Short ways to ask, and commits that run at once.

use std::sync::Arc;

use dm_core::{
    Acknowledged, ConversationCursor, ConversationState, ConversationsQuery, Depth, DeviceState, HistoryPage,
    HistoryQuery, HistoryRange, InboxEntry, InboxPage, InboxQuery, InboxSeq, KeyRecord, Message, Outcome,
    OwnEntries, Principal, ServerSequence, Store, StoreErrorKind, Write,
};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::build::{conversation, user};
use crate::{Harness, World};

/// Asks for a page of an inbox, without a bound in bytes and without what the device caused itself.
#[must_use]
pub fn inbox_after(who: Principal, after: u64, limit: usize) -> InboxQuery {
    let (after, own) = (InboxSeq::new(after), OwnEntries::Skip);
    InboxQuery { who, after, own, limit, max_bytes: usize::MAX }
}

/// Asks for a page of conversation `n` as its user `reader` sees it, without a bound in bytes.
#[must_use]
pub fn history_of(n: u64, reader: u64, range: HistoryRange, limit: usize) -> HistoryQuery {
    let (reader, conversation) = (user(reader), conversation(n));
    HistoryQuery { reader, conversation, range, limit, max_bytes: usize::MAX }
}

/// The range above a number.
#[must_use]
pub const fn above(sequence: u64) -> HistoryRange {
    HistoryRange::After(ServerSequence::new(sequence))
}

/// The range below a number.
#[must_use]
pub const fn below(sequence: u64) -> HistoryRange {
    HistoryRange::Before(ServerSequence::new(sequence))
}

/// The numbers of entries.
#[must_use]
pub fn seqs(entries: &[InboxEntry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq.get()).collect()
}

/// The numbers of messages.
#[must_use]
pub fn sequences<'a>(messages: impl IntoIterator<Item = &'a Arc<Message>>) -> Vec<u64> {
    messages.into_iter().map(|message| message.sequence.get()).collect()
}

impl<H: Harness> World<H> {
    /// One page of an inbox.
    pub async fn page(&self, query: InboxQuery) -> InboxPage {
        self.store().inbox(query).await.unwrap_or_else(|error| panic!("the inbox is not read: {error:?}"))
    }

    /// One page of a conversation that the reader is in.
    pub async fn messages(&self, query: HistoryQuery) -> HistoryPage {
        let page = self.store().history(query).await;
        page.unwrap_or_else(|error| panic!("history is not read: {error:?}"))
            .expect("the conversation is there")
    }

    /// The numbers of what is pending for a device: after its cursor, its own entries and what it acknowledged left out.
    ///
    /// # Panics
    /// When the pages do not move on.
    pub async fn pending(&self, who: &Principal) -> Vec<u64> {
        let devices = self.store().devices(who.user).await.expect("the devices are read");
        let device = devices.iter().find(|state| state.device == who.device);
        let mut after = device.map_or(0, |state| state.cursor.get());
        let mut pending = Vec::new();
        loop {
            let page = self.page(inbox_after(who.clone(), after, 1_000)).await;
            pending.extend(seqs(&page.entries));
            if page.through >= page.head {
                return pending;
            }
            assert!(page.through.get() > after, "a page that does not move on: {page:?}");
            after = page.through.get();
        }
    }

    /// A device's cursor.
    ///
    /// # Panics
    /// When it is not registered.
    pub async fn cursor(&self, who: &Principal) -> u64 {
        let devices = self.store().devices(who.user).await.expect("the devices are read");
        let device = devices.iter().find(|state| state.device == who.device);
        device.expect("the device is registered").cursor.get()
    }

    /// The *n*-th user's devices.
    pub async fn devices(&self, n: u64) -> Vec<DeviceState> {
        self.store().devices(user(n)).await.expect("the devices are read")
    }

    /// How much is pending for a device.
    pub async fn depth(&self, who: &Principal) -> Depth {
        self.store().depth(who.clone()).await.expect("the depth is read")
    }

    /// The *n*-th user's key.
    pub async fn key(&self, n: u64) -> Option<KeyRecord> {
        self.store().key(user(n)).await.expect("the key is read")
    }

    /// Conversation `n`.
    pub async fn state(&self, n: u64) -> Option<ConversationState> {
        self.store().conversation(conversation(n)).await.expect("the conversation is read")
    }

    /// A page of the *n*-th user's conversations.
    pub async fn list(
        &self,
        n: u64,
        after: Option<ConversationCursor>,
        limit: usize,
    ) -> Vec<ConversationState> {
        let query = ConversationsQuery { user: user(n), after, limit };
        self.store().conversations(query).await.expect("the list is read")
    }

    /// Commits an acknowledgement that must not be refused.
    pub async fn ack(&self, write: Write) -> Acknowledged {
        match self.done(write).await {
            Outcome::Acknowledged(acknowledged) => acknowledged,
            outcome => panic!("another write's outcome: {outcome:?}"),
        }
    }

    /// Commits one step of expiry: how many entries went, and whether there may be more.
    pub async fn expire(&self, write: Write) -> (usize, bool) {
        match self.done(write).await {
            Outcome::Expired { entries, more } => (entries, more),
            outcome => panic!("another write's outcome: {outcome:?}"),
        }
    }

    /// A second handle to the same place, for a store that allows one; another has refused it as locked.
    ///
    /// # Panics
    /// When it fails otherwise.
    pub async fn second_handle(&self) -> Option<H::Store> {
        match self.harness().open().await {
            Ok(store) => Some(store),
            Err(error) if error.kind() == StoreErrorKind::Locked => None,
            Err(error) => panic!("neither opened nor locked: {error:?}"),
        }
    }

    /// Commits batches at once, each from a task of its own.
    pub async fn at_once(&self, batches: impl IntoIterator<Item = Vec<Write>>) -> Vec<Vec<Outcome>> {
        let tasks: Vec<_> = batches.into_iter().map(|batch| self.start(vec![batch], None)).collect();
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.extend(task.await.expect("the task commits"));
        }
        outcomes
    }

    /// Commits from several tasks, each its batches one after the other, and looks meanwhile, at least as often as a task
    /// commits, and once after.
    pub async fn during(
        &self,
        tasks: impl IntoIterator<Item = Vec<Vec<Write>>>,
        mut look: impl AsyncFnMut(),
    ) {
        let pace = Arc::new(Semaphore::new(0));
        let start = |batches| self.start(batches, Some(Arc::clone(&pace)));
        let tasks: Vec<_> = tasks.into_iter().map(start).collect();
        while tasks.iter().any(|task| !task.is_finished()) {
            // However fast the store is, there are commits to look beside.
            if pace.available_permits() == 0 {
                pace.add_permits(tasks.len());
            }
            look().await;
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.await.expect("the task commits");
        }
        look().await;
    }

    fn start(&self, batches: Vec<Vec<Write>>, pace: Option<Arc<Semaphore>>) -> JoinHandle<Vec<Vec<Outcome>>> {
        let store = self.store();
        tokio::spawn(async move {
            let mut outcomes = Vec::new();
            for batch in batches {
                if let Some(pace) = &pace {
                    pace.acquire().await.expect("it is never closed").forget();
                }
                outcomes.push(store.commit(batch).await.expect("a commit beside others goes well"));
            }
            outcomes
        })
    }
}
