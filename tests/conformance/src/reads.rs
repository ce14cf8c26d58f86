//! Reads of the cases.

use std::fmt::Debug;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use dm_core::store::{
    Acknowledged, Answer, ConversationCursor, ConversationOrder, ConversationState, ConversationsQuery,
    Depth, DeviceState, HistoryPage, HistoryQuery, HistoryRange, InboxEntry, InboxPage, InboxQuery, InboxSeq,
    KeyRecord, ListedConversation, Message, OwnEntries, Owner, Principal, Record, RecordKey, ScanPage,
    ScanQuery, ServerSequence, Store, StoreError, StoreErrorKind, Write,
};

use crate::build::{conversation, user};
use crate::world::{Line, World, other_answer};
use crate::{Harness, paging};

/// A query of a page of a user's conversations, the most recently active first, without records.
#[must_use]
pub fn active(n: u64, after: Option<ConversationCursor>, limit: usize) -> ConversationsQuery {
    let order = ConversationOrder::Active { after };
    ConversationsQuery { user: user(n), order, kinds: Vec::new(), limit }
}

/// A query of a page of an inbox, without a bound in bytes and without the device's own entries.
#[must_use]
pub fn inbox_after(who: Principal, after: u64, limit: usize) -> InboxQuery {
    let (after, own) = (InboxSeq::new(after), OwnEntries::Skip);
    InboxQuery { who, after, own, limit, max_bytes: usize::MAX }
}

/// A query of a whole inbox of at most 10,000 entries, the device's own included.
#[must_use]
pub fn whole_inbox(who: Principal) -> InboxQuery {
    let (after, own) = (InboxSeq::ZERO, OwnEntries::Include);
    InboxQuery { who, after, own, limit: 10_000, max_bytes: usize::MAX }
}

/// Reads the numbers of the *n*-th user's [`whole_inbox`].
///
/// # Panics
/// Panics if the store fails.
pub async fn inbox_numbers(store: &impl Store, n: u64) -> Vec<u64> {
    seqs(&store.inbox(whole_inbox(user(n).into())).await.expect("an inbox").entries)
}

/// A query of a page of conversation `n` for user `reader`, without a bound in bytes.
#[must_use]
pub fn history_of(n: u64, reader: u64, range: HistoryRange, limit: usize) -> HistoryQuery {
    let (reader, conversation) = (user(reader), conversation(n));
    HistoryQuery { reader, conversation, range, limit, max_bytes: usize::MAX }
}

/// The range above a sequence.
#[must_use]
pub const fn above(sequence: u64) -> HistoryRange {
    HistoryRange::After(ServerSequence::new(sequence))
}

/// The range below a sequence.
#[must_use]
pub const fn below(sequence: u64) -> HistoryRange {
    HistoryRange::Before(ServerSequence::new(sequence))
}

/// The inbox numbers of entries.
#[must_use]
pub fn seqs(entries: &[InboxEntry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq.get()).collect()
}

/// The sequences of messages.
#[must_use]
pub fn sequences<'a>(messages: impl IntoIterator<Item = &'a Arc<Message>>) -> Vec<u64> {
    messages.into_iter().map(|message| message.sequence.get()).collect()
}

impl<H: Harness> World<H> {
    /// Reads one page of an inbox.
    #[track_caller]
    pub fn page(&self, query: InboxQuery) -> impl Future<Output = InboxPage> {
        let line = Location::caller();
        async move { read(line, &query, self.store().inbox(query.clone()).await) }
    }

    /// Reads the newest inbox numbers of users.
    #[track_caller]
    pub fn heads(&self, users: impl IntoIterator<Item = u64>) -> impl Future<Output = Vec<u64>> {
        let (line, users) = (Location::caller(), users.into_iter().map(user).collect::<Vec<_>>());
        async move {
            let heads = read(line, &users, self.store().inbox_heads(users.clone()).await);
            heads.iter().map(|head| head.get()).collect()
        }
    }

    /// Reads one page of a conversation. The reader must be a participant.
    #[track_caller]
    pub fn messages(&self, query: HistoryQuery) -> impl Future<Output = HistoryPage> {
        let line = Location::caller();
        async move {
            let page = read(line, &query, self.store().history(query).await);
            page.unwrap_or_else(|| panic!("{line}: {query:?}\nreturns no conversation"))
        }
    }

    /// Reads the numbers of the entries that are pending for a device.
    ///
    /// # Panics
    /// Panics if its pages do not reach the head.
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

    /// Reads a device's cursor.
    ///
    /// # Panics
    /// Panics if the device is not registered.
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

    /// Reads the *n*-th user's devices.
    #[track_caller]
    pub fn devices(&self, n: u64) -> impl Future<Output = Vec<DeviceState>> {
        let line = Location::caller();
        async move { read(line, &user(n), self.store().devices(user(n)).await) }
    }

    /// Reads the number of pending entries of a device.
    #[track_caller]
    pub fn depth(&self, who: &Principal) -> impl Future<Output = Depth> {
        let line = Location::caller();
        async move { read(line, who, self.store().depth(who.clone()).await) }
    }

    /// Reads the *n*-th user's key.
    #[track_caller]
    pub fn key(&self, n: u64) -> impl Future<Output = Option<KeyRecord>> {
        let (line, key) = (Location::caller(), RecordKey::fence(Owner::User(user(n))));
        async move {
            let record = self.records_from(line, vec![key]).await.remove(0)?;
            KeyRecord::from_value(user(n), &record.value)
        }
    }

    /// Reads the record with a key.
    #[track_caller]
    pub fn record(&self, key: RecordKey) -> impl Future<Output = Option<Record>> {
        let line = Location::caller();
        async move { self.records_from(line, vec![key]).await.remove(0) }
    }

    /// Reads the records with some keys.
    ///
    /// # Panics
    /// Panics if the store returns more or fewer items than keys.
    #[track_caller]
    pub fn records(&self, keys: Vec<RecordKey>) -> impl Future<Output = Vec<Option<Record>>> {
        self.records_from(Location::caller(), keys)
    }

    async fn records_from(&self, line: Line, keys: Vec<RecordKey>) -> Vec<Option<Record>> {
        let records = read(line, &keys, self.store().records(keys.clone()).await);
        assert_eq!(records.len(), keys.len(), "{line}: {keys:?}\nare answered with {records:?}");
        records
    }

    /// Reads a page of records.
    #[track_caller]
    pub fn scan(&self, query: ScanQuery) -> impl Future<Output = ScanPage> {
        let line = Location::caller();
        async move { read(line, &query, self.store().scan(query.clone()).await) }
    }

    /// Reads conversation `n`.
    #[track_caller]
    pub fn state(&self, n: u64) -> impl Future<Output = Option<ConversationState>> {
        let line = Location::caller();
        async move { read(line, &conversation(n), self.store().conversation(conversation(n)).await) }
    }

    /// Reads a page of the *n*-th user's conversations, the most recently active first.
    #[track_caller]
    pub fn list(
        &self,
        n: u64,
        after: Option<ConversationCursor>,
        limit: usize,
    ) -> impl Future<Output = Vec<ConversationState>> {
        let listed = self.listed(active(n, after, limit));
        async move { listed.await.into_iter().map(|listed| listed.state).collect() }
    }

    /// Reads a page of conversations, with records.
    #[track_caller]
    pub fn listed(&self, query: ConversationsQuery) -> impl Future<Output = Vec<ListedConversation>> {
        let line = Location::caller();
        async move { read(line, &query, self.store().conversations(query.clone()).await) }
    }

    /// Commits an acknowledgement that must not be refused.
    #[track_caller]
    pub fn ack(&self, write: Write) -> impl Future<Output = Acknowledged> {
        let line = Location::caller();
        async move {
            let done = self.done_from(line, write.clone()).await;
            match done.answer {
                Answer::Acknowledged(acknowledged) => acknowledged,
                _ => other_answer(line, &write, &done),
            }
        }
    }

    /// Commits one step of expiry. Returns the number of removed entries, and whether there may be
    /// more.
    #[track_caller]
    pub fn expire(&self, write: Write) -> impl Future<Output = (usize, bool)> {
        let line = Location::caller();
        async move {
            let done = self.done_from(line, write.clone()).await;
            match done.answer {
                Answer::Expired { entries, more } => (entries, more),
                _ => other_answer(line, &write, &done),
            }
        }
    }

    /// Opens a second handle at the same location; `None` if the store refuses it as locked.
    ///
    /// # Panics
    /// Panics if opening fails for another reason.
    pub async fn second_handle(&self) -> Option<H::Store> {
        match self.harness().open().await {
            Ok(store) => Some(store),
            Err(error) if error.kind() == StoreErrorKind::Locked => None,
            Err(error) => panic!("the second handle is neither opened nor refused as locked: {error:?}"),
        }
    }
}

/// The answer of a read that must succeed.
fn read<T>(line: Line, query: &impl Debug, answer: Result<T, StoreError>) -> T {
    answer.unwrap_or_else(|error| panic!("{line}: {query:?}\ncannot be read: {error:?}"))
}
