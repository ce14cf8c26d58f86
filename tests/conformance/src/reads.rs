//! Short ways to ask.

use std::fmt::Debug;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use dm_core::store::{
    Acknowledged, ConversationCursor, ConversationState, ConversationsQuery, Depth, DeviceState, HistoryPage,
    HistoryQuery, HistoryRange, InboxEntry, InboxPage, InboxQuery, InboxSeq, KeyRecord, Message, Outcome,
    OwnEntries, Principal, ServerSequence, Store, StoreError, StoreErrorKind, Write,
};

use crate::build::{conversation, user};
use crate::world::{Line, World, other_outcome};
use crate::{Harness, paging};

/// Asks for a page of an inbox, without a bound in bytes and without what the device caused itself.
#[must_use]
pub fn inbox_after(who: Principal, after: u64, limit: usize) -> InboxQuery {
    let (after, own) = (InboxSeq::new(after), OwnEntries::Skip);
    InboxQuery { who, after, own, limit, max_bytes: usize::MAX }
}

/// Asks for a whole inbox of at most 10,000 entries, with what the device caused itself.
#[must_use]
pub fn whole_inbox(who: Principal) -> InboxQuery {
    let (after, own) = (InboxSeq::ZERO, OwnEntries::Include);
    InboxQuery { who, after, own, limit: 10_000, max_bytes: usize::MAX }
}

/// The numbers of the *n*-th user's [`whole_inbox`] in a store.
///
/// # Panics
/// When the store fails.
pub async fn inbox_numbers(store: &impl Store, n: u64) -> Vec<u64> {
    seqs(&store.inbox(whole_inbox(user(n).into())).await.expect("an inbox").entries)
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
    #[track_caller]
    pub fn page(&self, query: InboxQuery) -> impl Future<Output = InboxPage> {
        let line = Location::caller();
        async move { read(line, &query, self.store().inbox(query.clone()).await) }
    }

    /// The newest numbers of the inboxes of the *n*-th users.
    #[track_caller]
    pub fn heads(&self, users: impl IntoIterator<Item = u64>) -> impl Future<Output = Vec<u64>> {
        let (line, users) = (Location::caller(), users.into_iter().map(user).collect::<Vec<_>>());
        async move {
            let heads = read(line, &users, self.store().inbox_heads(users.clone()).await);
            heads.iter().map(|head| head.get()).collect()
        }
    }

    /// One page of a conversation that the reader is in.
    #[track_caller]
    pub fn messages(&self, query: HistoryQuery) -> impl Future<Output = HistoryPage> {
        let line = Location::caller();
        async move {
            let page = read(line, &query, self.store().history(query).await);
            page.unwrap_or_else(|| panic!("{line}: {query:?}\nfinds no conversation"))
        }
    }

    /// The numbers of what is pending for a device: after its cursor, its own entries and what it acknowledged left out.
    ///
    /// # Panics
    /// When its pages do not come to the head.
    #[track_caller]
    pub fn pending(&self, who: &Principal) -> impl Future<Output = Vec<u64>> {
        let line = Location::caller();
        async move {
            let device = self.device(line, who).await;
            let query = inbox_after(who.clone(), device.map_or(0, |state| state.cursor.get()), 1_000);
            let page = paging::to_the_head(&*self.store(), query).await;
            seqs(&page.unwrap_or_else(|what| panic!("{line}: {what}")).entries)
        }
    }

    /// A device's cursor.
    ///
    /// # Panics
    /// When it is not registered.
    #[track_caller]
    pub fn cursor(&self, who: &Principal) -> impl Future<Output = u64> {
        let line = Location::caller();
        async move {
            let device = self.device(line, who).await;
            device.unwrap_or_else(|| panic!("{line}: {who:?} is not registered")).cursor.get()
        }
    }

    async fn device(&self, line: Line, who: &Principal) -> Option<DeviceState> {
        let devices = read(line, &who.user, self.store().devices(who.user).await);
        devices.into_iter().find(|state| state.device == who.device)
    }

    /// The *n*-th user's devices.
    #[track_caller]
    pub fn devices(&self, n: u64) -> impl Future<Output = Vec<DeviceState>> {
        let line = Location::caller();
        async move { read(line, &user(n), self.store().devices(user(n)).await) }
    }

    /// How much is pending for a device.
    #[track_caller]
    pub fn depth(&self, who: &Principal) -> impl Future<Output = Depth> {
        let line = Location::caller();
        async move { read(line, who, self.store().depth(who.clone()).await) }
    }

    /// The *n*-th user's key.
    #[track_caller]
    pub fn key(&self, n: u64) -> impl Future<Output = Option<KeyRecord>> {
        let line = Location::caller();
        async move { read(line, &user(n), self.store().key(user(n)).await) }
    }

    /// Conversation `n`.
    #[track_caller]
    pub fn state(&self, n: u64) -> impl Future<Output = Option<ConversationState>> {
        let line = Location::caller();
        async move { read(line, &conversation(n), self.store().conversation(conversation(n)).await) }
    }

    /// A page of the *n*-th user's conversations.
    #[track_caller]
    pub fn list(
        &self,
        n: u64,
        after: Option<ConversationCursor>,
        limit: usize,
    ) -> impl Future<Output = Vec<ConversationState>> {
        let line = Location::caller();
        let query = ConversationsQuery { user: user(n), after, limit };
        async move { read(line, &query, self.store().conversations(query).await) }
    }

    /// Commits an acknowledgement that must not be refused.
    #[track_caller]
    pub fn ack(&self, write: Write) -> impl Future<Output = Acknowledged> {
        let line = Location::caller();
        async move {
            match self.done_from(line, write.clone()).await {
                Outcome::Acknowledged(acknowledged) => acknowledged,
                outcome => other_outcome(line, &write, &outcome),
            }
        }
    }

    /// Commits one step of expiry: how many entries went, and whether there may be more.
    #[track_caller]
    pub fn expire(&self, write: Write) -> impl Future<Output = (usize, bool)> {
        let line = Location::caller();
        async move {
            match self.done_from(line, write.clone()).await {
                Outcome::Expired { entries, more } => (entries, more),
                outcome => other_outcome(line, &write, &outcome),
            }
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
}

/// What a read of a case answered.
fn read<T>(line: Line, query: &impl Debug, answer: Result<T, StoreError>) -> T {
    answer.unwrap_or_else(|error| panic!("{line}: {query:?}\nis not read: {error:?}"))
}
