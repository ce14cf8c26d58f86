//! Builders of records, gates and scans from small numbers, and reads of them.

use std::future::Future;
use std::panic::Location;

use dm_core::store::{
    Change, ConversationOrder, ConversationsQuery, GateChange, Kind, Name, OtherNotice, Owner, Participants,
    Party, Post, Prefix, Put, Record, RecordKey, Registration, Revision, Revisions, Scan, ScanPage,
    ScanQuery, Tag, UserGateChange, Write,
};
use dm_core::store::{Expect, Notice, Timestamp, UserId};

use crate::build::{at, conversation, kind, name, notice, synced, tag, user};
use crate::{Harness, World};

/// A number as a length or an index.
///
/// # Panics
/// Panics if it does not fit.
#[must_use]
pub(crate) fn size(n: u64) -> usize {
    usize::try_from(n).expect("a small number")
}

/// The lowest byte of a number.
#[must_use]
pub(crate) const fn byte(n: u64) -> u8 {
    n.to_le_bytes()[0]
}

/// The key of a record of the *n*-th user that is not synced.
#[must_use]
pub fn plain(n: u64, bytes: impl AsRef<[u8]>) -> RecordKey {
    RecordKey::new(Owner::User(user(n)), kind(), name(bytes))
}

/// The key of a synced record of the *n*-th user.
#[must_use]
pub fn shared(n: u64, bytes: impl AsRef<[u8]>) -> RecordKey {
    RecordKey::new(Owner::User(user(n)), synced(), name(bytes))
}

/// The key of a record of the *n*-th conversation.
#[must_use]
pub fn about(n: u64, bytes: impl AsRef<[u8]>) -> RecordKey {
    RecordKey::new(Owner::Conversation(conversation(n)), kind(), name(bytes))
}

/// The key of a record of the store itself.
#[must_use]
pub fn of_the_store(bytes: impl AsRef<[u8]>) -> RecordKey {
    RecordKey::new(Owner::Store, kind(), name(bytes))
}

/// The key of the *n*-th user's fence.
#[must_use]
pub fn fence(n: u64) -> RecordKey {
    RecordKey::fence(Owner::User(user(n)))
}

/// The custom kind with a number.
///
/// # Panics
/// Panics above [`Kind::MAX_CUSTOM`].
#[must_use]
pub fn kind_of(number: u16, is_synced: bool) -> Kind {
    Kind::custom(number, is_synced).expect("a number of a custom kind")
}

/// The prefix whose name is that of a key.
#[must_use]
pub fn under(key: RecordKey) -> Prefix {
    let RecordKey { owner, kind, name } = key;
    Prefix { owner, kind, name }
}

/// Stores a record with tag `n`.
#[must_use]
pub fn put(key: RecordKey, value: impl AsRef<[u8]>, n: u64) -> Change {
    Change::Put(put_of(key, value, n))
}

/// As [`put`], due at a time.
#[must_use]
pub fn put_due(key: RecordKey, value: impl AsRef<[u8]>, n: u64, due: u64) -> Change {
    Change::Put(Put { due: Some(at(due)), ..put_of(key, value, n) })
}

/// Raises a record, with tag `n`.
#[must_use]
pub fn raise(key: RecordKey, value: impl AsRef<[u8]>, n: u64) -> Change {
    Change::Raise(put_of(key, value, n))
}

fn put_of(key: RecordKey, value: impl AsRef<[u8]>, n: u64) -> Put {
    Put::new(key, value.as_ref().to_vec().into(), tag(n))
}

/// Takes the first record under the name of a key.
#[must_use]
pub fn take(key: RecordKey) -> Change {
    Change::TakeFirst { under: under(key), or: None }
}

/// A write that only changes something.
#[must_use]
pub fn only(change: Change) -> Write {
    Write::default().change(change)
}

/// A write that makes several changes.
#[must_use]
pub fn all(changes: impl IntoIterator<Item = Change>) -> Write {
    Write { changes: changes.into_iter().collect(), ..Write::default() }
}

/// The condition that the fence of a party has tag `n`.
#[must_use]
pub const fn fenced(of: Party, n: u64) -> Expect {
    Expect::Fence { of, tag: tag(n) }
}

/// A change of the gate of two users that keeps everything.
///
/// # Panics
/// Panics if the two users are equal.
#[must_use]
pub fn gate(one: u64, other: u64) -> GateChange {
    GateChange::new(Participants::new(user(one), user(other)).expect("two users"))
}

/// A write that sets and clears bits of the gate of two users.
///
/// # Panics
/// Panics if the two users are equal.
#[must_use]
pub fn gate_bits(one: u64, other: u64, close: u8, open: u8) -> Write {
    only(Change::Gate(GateChange { close, open, ..gate(one, other) }))
}

/// A write that closes or opens the gate of the *n*-th user.
#[must_use]
pub fn user_gate(n: u64, close: bool) -> Write {
    only(Change::UserGate(UserGateChange { close: Some(close), ..UserGateChange::new(user(n)) }))
}

/// The entry that says a number, for all devices of the *n*-th user, at time `number`.
#[must_use]
pub fn posted(n: u64, number: u64) -> Post {
    Post { to: user(n), addressee: None, origin: None, at: at(number), notice: notice(number) }
}

/// As [`posted`], for the device with a registration only.
#[must_use]
pub fn posted_to(n: u64, registration: u64, number: u64) -> Post {
    Post { addressee: Some(Registration::new(registration)), ..posted(n, number) }
}

/// The number that a notice of [`posted`] says; `None` for other notices.
#[must_use]
pub fn said(notice: &Notice) -> Option<u64> {
    let Notice::Other(other) = notice else { return None };
    let (kind, number) = other.bytes().split_first()?;
    let number = u64::from_be_bytes(number.try_into().ok()?);
    (*kind == OtherNotice::FIRST_CUSTOM).then_some(number)
}

/// A scan of the names under a prefix, without a bound in bytes.
#[must_use]
pub fn scan_under(prefix: Prefix, after: Option<Name>, limit: usize) -> ScanQuery {
    ScanQuery { scan: Scan::Under { prefix, after }, limit, max_bytes: usize::MAX }
}

/// A scan of the *n*-th user's synced records after a revision, without a bound in bytes.
#[must_use]
pub fn scan_since(n: u64, revision: u64, limit: usize) -> ScanQuery {
    let scan = Scan::Since { user: user(n), revision: Revision::new(revision) };
    ScanQuery { scan, limit, max_bytes: usize::MAX }
}

/// A scan of the due records of a kind, without a bound in bytes.
#[must_use]
pub fn scan_due(kind: Kind, until: u64, after: Option<(u64, RecordKey)>, limit: usize) -> ScanQuery {
    let after = after.map(|(due, key)| (at(due), key));
    ScanQuery { scan: Scan::Due { kind, until: at(until), after }, limit, max_bytes: usize::MAX }
}

/// The *n*-th user's conversations in the order in which they were opened, with records.
#[must_use]
pub fn opened_order(n: u64, after: Option<u64>, kinds: Vec<Kind>, limit: usize) -> ConversationsQuery {
    let order = ConversationOrder::Opened { after: after.map(conversation) };
    ConversationsQuery { user: user(n), order, kinds, limit }
}

/// The names of records.
#[must_use]
pub fn names(records: &[Record]) -> Vec<Vec<u8>> {
    records.iter().map(|record| record.key.name.as_bytes().to_vec()).collect()
}

/// The numbers of the newest revision and of the floor.
#[must_use]
pub const fn numbers(revisions: Revisions) -> (u64, u64) {
    (revisions.head.get(), revisions.floor.get())
}

/// The record that [`put`] stores, as it is read back.
#[must_use]
pub fn stored(key: RecordKey, value: impl AsRef<[u8]>, n: u64, revision: u64) -> Record {
    let value = value.as_ref().to_vec().into();
    Record { key, value, tag: tag(n), due: None, revision: Revision::new(revision) }
}

/// A due record, by its key and its time.
#[must_use]
pub fn due_time(record: &Record) -> Option<(u64, RecordKey)> {
    record.due.map(|due: Timestamp| (due.as_millis(), record.key.clone()))
}

/// The revision that a write gave a user's records; `None` if it changed none.
#[must_use]
pub fn revision_of(revisions: &[(UserId, Revision)], n: u64) -> Option<u64> {
    revisions.iter().find(|(owner, _)| *owner == user(n)).map(|(_, revision)| revision.get())
}

/// The tag of a record that is there.
#[must_use]
pub fn tag_of(record: Option<&Record>) -> Option<Tag> {
    record.map(|record| record.tag)
}

impl<H: Harness> World<H> {
    /// Reads the names of all records under the name of a key, in their order.
    #[track_caller]
    pub fn names_under(&self, key: RecordKey) -> impl Future<Output = Vec<Vec<u8>>> {
        let page = self.scan(scan_under(under(key), None, 10_000));
        async move { names(&page.await.records) }
    }

    /// Reads the value of a record; `None` if there is none.
    #[track_caller]
    pub fn value(&self, key: RecordKey) -> impl Future<Output = Option<Vec<u8>>> {
        let record = self.record(key);
        async move { record.await.map(|record| record.value.to_vec()) }
    }

    /// Reads the *n*-th user's synced records after a revision.
    #[track_caller]
    pub fn since(&self, n: u64, revision: u64) -> impl Future<Output = ScanPage> {
        self.scan(scan_since(n, revision, 10_000))
    }

    /// Reads a scan page by page, of `limit` records each. `next` makes the query after a record.
    ///
    /// # Panics
    /// Panics if a page is empty although there are more records, or if it has more than `limit`.
    #[track_caller]
    pub fn in_pages(
        &self,
        first: ScanQuery,
        next: impl Fn(&Record) -> Scan,
    ) -> impl Future<Output = Vec<Record>> {
        let line = Location::caller();
        async move {
            let (mut records, mut query) = (Vec::new(), first);
            loop {
                let page = self.scan(query.clone()).await;
                assert!(page.records.len() <= query.limit, "{line}: a page beyond its limit: {query:?}");
                let last = page.records.last().map(&next);
                records.extend(page.records);
                assert!(records.len() < 10_000, "{line}: the pages do not end: {query:?}");
                match last {
                    _ if !page.has_more => return records,
                    Some(next) => query.scan = next,
                    None => panic!("{line}: an empty page before others: {query:?}"),
                }
            }
        }
    }
}
