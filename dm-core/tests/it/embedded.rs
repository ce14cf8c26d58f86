//! The adapter for engines whose calls block: failures of an engine, and a disk that fills up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;

use dm_core::store::{
    Acknowledge, AppendMessage, Availability, Embedded, Outcome, Owner, Record, RecordKey, Refusal, Room,
    Store, StoreError, StoreErrorKind, Write,
};
use dm_core::{AckTarget, ConversationId, Error, InboxSeq, MessageId, Service, Timestamp};

use tokio::task::JoinHandle;

use crate::common::engine::{Next, Reader, Script, expire};
use crate::common::{ciphertext, message, poll_once, user, who};

/// The key of a record, for reads whose answer does not matter.
fn a_key() -> Vec<RecordKey> {
    vec![RecordKey::fence(Owner::User(user(1)))]
}

/// A store whose attempts to reopen wait for a result from the test.
struct Reopening {
    script: Script,
    store: Embedded<Reader>,
    /// Receives the numbers of writers and readers that exist when an attempt to reopen begins.
    begins: mpsc::Receiver<(usize, usize)>,
    /// Sends the result of the attempt that has begun.
    ends: mpsc::Sender<Result<(), StoreErrorKind>>,
}

impl Reopening {
    fn new() -> Self {
        let script = Script::default();
        let (begin, begins) = mpsc::channel();
        let (ends, end) = mpsc::channel::<Result<(), StoreErrorKind>>();
        let (writer, reader) = script.writer_and_reader();
        let again = script.clone();
        let store = Embedded::builder(writer, reader).reopen(move || {
            let _ = begin.send(again.alive());
            end.recv().map_err(|_| StoreErrorKind::Unavailable)??;
            Ok(again.writer_and_reader())
        });
        Self { script, store: store.start().unwrap(), begins, ends }
    }

    /// Starts a read, which is held in the engine.
    async fn held_read(&self) -> JoinHandle<Result<Vec<Option<Record>>, StoreError>> {
        self.script.hold_reads(true);
        let store = self.store.clone();
        let read = tokio::spawn(async move { store.records(a_key()).await });
        while self.script.reading() == 0 {
            tokio::task::yield_now().await;
        }
        read
    }

    async fn commit(&self) -> Result<Vec<Outcome>, StoreErrorKind> {
        self.store.commit(vec![expire()]).await.map_err(|error| error.kind())
    }

    async fn read(&self) -> Result<(), StoreErrorKind> {
        self.store.records(a_key()).await.map(drop).map_err(|error| error.kind())
    }

    /// Makes the next attempt succeed, and waits until the store is open.
    async fn reopens(&self) {
        self.ends.send(Ok(())).unwrap();
        while self.store.status().availability != Availability::Open {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn an_engine_that_panics_refuses_all_further_work_and_is_not_reopened() {
    let world = Reopening::new();
    world.read().await.unwrap();
    world.script.next(Next::Panics);
    assert_eq!(world.commit().await.unwrap_err(), StoreErrorKind::OutcomeUnknown);
    assert_eq!(world.commit().await.unwrap_err(), StoreErrorKind::Closed);
    assert_eq!(world.read().await.unwrap_err(), StoreErrorKind::Closed);
    assert_eq!(world.store.status().availability, Availability::Closed);
    drop(world.store);
    assert!(world.begins.recv().is_err(), "no attempt was made");
}

#[tokio::test]
async fn a_refused_read_after_a_panic_does_not_reopen_the_engine() {
    let world = Reopening::new();
    let read = world.held_read().await;
    world.script.next(Next::Panics);
    world.commit().await.unwrap_err();
    world.script.refuse_reads(true);
    world.script.hold_reads(false);
    assert_eq!(read.await.unwrap().unwrap_err().kind(), StoreErrorKind::Closed);
    assert_eq!(world.commit().await.unwrap_err(), StoreErrorKind::Closed);
    drop(world.store);
    assert!(world.begins.recv().is_err(), "no attempt was made");
}

#[tokio::test]
async fn a_panic_while_reopening_closes_the_store() {
    let script = Script::default();
    let (writer, reader) = script.writer_and_reader();
    let store = Embedded::builder(writer, reader).reopen(|| panic!("an engine that panics")).start().unwrap();
    script.next(Next::Fails(StoreErrorKind::OutcomeUnknown));
    store.commit(vec![expire()]).await.unwrap_err();
    while store.status().availability != Availability::Closed {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.commit(vec![expire()]).await.unwrap_err().kind(), StoreErrorKind::Closed);
    assert_eq!(store.records(a_key()).await.unwrap_err().kind(), StoreErrorKind::Closed);
}

#[tokio::test]
async fn a_store_without_a_way_to_reopen_is_closed_after_an_unknown_outcome() {
    let script = Script::default();
    let (writer, reader) = script.writer_and_reader();
    let store = Embedded::new(writer, reader).unwrap();
    script.next(Next::Fails(StoreErrorKind::OutcomeUnknown));
    assert_eq!(store.commit(vec![expire()]).await.unwrap_err().kind(), StoreErrorKind::OutcomeUnknown);
    assert_eq!(store.commit(vec![expire()]).await.unwrap_err().kind(), StoreErrorKind::Closed);
    assert_eq!(store.records(a_key()).await.unwrap_err().kind(), StoreErrorKind::Closed);
    assert_eq!(store.status().availability, Availability::Closed);
}

#[tokio::test]
async fn a_refused_read_of_a_store_without_a_way_to_reopen_fails_as_closed() {
    let script = Script::default();
    let (writer, reader) = script.writer_and_reader();
    // While a commit waits for a measurement, the commit thread cannot close the store.
    let (go_on, held) = mpsc::channel::<()>();
    let store = Embedded::builder(writer, reader).reserve(1, move || {
        let _ = held.recv();
        Ok(u64::MAX)
    });
    let store = store.start().unwrap();
    let mut committing = Box::pin(store.commit(vec![expire()]));
    assert!(poll_once(&mut committing).await.is_none());
    script.refuse_reads(true);
    assert_eq!(store.records(a_key()).await.unwrap_err().kind(), StoreErrorKind::Closed);
    drop(go_on);
    committing.await.unwrap();
}

#[tokio::test]
async fn after_an_unknown_outcome_writer_and_reader_are_dropped_and_the_store_reopens_itself() {
    let world = Reopening::new();
    world.script.next(Next::Fails(StoreErrorKind::OutcomeUnknown));
    assert_eq!(world.commit().await.unwrap_err(), StoreErrorKind::OutcomeUnknown);
    assert_eq!(world.begins.recv().unwrap(), (0, 0), "writers and readers alive while it is opened");
    for _ in 0..3 {
        assert_eq!(world.commit().await.unwrap_err(), StoreErrorKind::Unavailable);
        assert_eq!(world.read().await.unwrap_err(), StoreErrorKind::Unavailable);
    }
    assert_eq!(world.store.status().availability, Availability::Reopening);
    // An attempt that fails is followed by another.
    world.ends.send(Err(StoreErrorKind::Full)).unwrap();
    assert_eq!(world.begins.recv().unwrap(), (0, 0));
    world.reopens().await;
    world.commit().await.unwrap();
    world.read().await.unwrap();
    assert_eq!(world.script.alive(), (1, 1));
    // After another unknown outcome it reopens again.
    world.script.next(Next::Fails(StoreErrorKind::OutcomeUnknown));
    world.commit().await.unwrap_err();
    world.reopens().await;
    world.commit().await.unwrap();
}

#[tokio::test]
async fn an_engine_that_refuses_all_work_is_reopened_whatever_its_last_error() {
    let world = Reopening::new();
    world.script.next(Next::Breaks(StoreErrorKind::Full));
    assert_eq!(world.commit().await.unwrap_err(), StoreErrorKind::Full);
    world.reopens().await;
    // A commit reports that the engine is closed. The store reopens itself, so the caller's error
    // is that it is unavailable.
    world.script.next(Next::Fails(StoreErrorKind::Closed));
    assert_eq!(world.commit().await.unwrap_err(), StoreErrorKind::Unavailable);
    world.reopens().await;
    // A read reports that the engine is closed.
    world.script.refuse_reads(true);
    assert_eq!(world.read().await.unwrap_err(), StoreErrorKind::Unavailable);
    assert_eq!(world.begins.iter().nth(2).unwrap(), (0, 0));
    world.script.refuse_reads(false);
    world.reopens().await;
    world.read().await.unwrap();
    // An error of one batch does not break the engine.
    world.script.next(Next::Fails(StoreErrorKind::Full));
    assert_eq!(world.commit().await.unwrap_err(), StoreErrorKind::Full);
    world.commit().await.unwrap();
}

#[tokio::test]
async fn running_reads_end_before_the_engine_is_reopened() {
    let world = Reopening::new();
    let read = world.held_read().await;
    world.script.next(Next::Fails(StoreErrorKind::OutcomeUnknown));
    world.commit().await.unwrap_err();
    assert_eq!(world.commit().await.unwrap_err(), StoreErrorKind::Unavailable);
    assert!(world.begins.try_recv().is_err(), "the engine was opened while a read used the old one");
    world.script.hold_reads(false);
    assert_eq!(read.await.unwrap().unwrap(), [None], "the read is answered");
    assert_eq!(world.begins.recv().unwrap(), (0, 0));
    world.reopens().await;
}

#[tokio::test]
async fn a_store_that_is_being_reopened_can_be_dropped() {
    let world = Reopening::new();
    world.script.next(Next::Fails(StoreErrorKind::OutcomeUnknown));
    world.commit().await.unwrap_err();
    world.begins.recv().unwrap();
    world.ends.send(Err(StoreErrorKind::Full)).unwrap();
    let Reopening { script, store, begins, ends } = world;
    // If this sender stayed, a further attempt would wait for its result for ever.
    drop(ends);
    drop(store);
    assert_eq!(script.alive(), (0, 0));
    while begins.recv().is_ok() {}
}

/// A store with a reserve, the number of free bytes on its disk, and the number of measurements.
fn on_a_disk(script: &Script, reserve: u64) -> (Embedded<Reader>, Arc<AtomicU64>, Arc<AtomicUsize>) {
    let (free, measured) = (Arc::new(AtomicU64::new(u64::MAX)), Arc::new(AtomicUsize::new(0)));
    let (writer, reader) = script.writer_and_reader();
    let (seen, count) = (Arc::clone(&free), Arc::clone(&measured));
    let store = Embedded::builder(writer, reader).reserve(reserve, move || {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(seen.load(Ordering::SeqCst))
    });
    (store.start().unwrap(), free, measured)
}

fn append() -> Write {
    append_of("payload")
}

fn append_of(payload: &str) -> Write {
    let at = Timestamp::from_millis(5);
    let append = AppendMessage {
        id: MessageId::from_bytes([1; 16]),
        conversation: ConversationId::from_bytes([2; 16]),
        sender: who(1),
        client_id: None,
        sent_at: at,
        at,
        ciphertext: ciphertext(payload),
    };
    append.into()
}

const MIB: u64 = 1024 * 1024;

#[tokio::test]
async fn below_the_reserve_only_writes_that_take_no_room_are_committed() {
    let script = Script::default();
    let (store, free, _) = on_a_disk(&script, MIB);
    free.store(MIB / 2, Ordering::SeqCst);
    let acknowledge = Acknowledge { who: who(1), target: AckTarget::UpTo(InboxSeq::ZERO) };
    let batch = vec![append(), acknowledge.into(), append(), expire()];
    let outcomes = store.commit(batch).await.unwrap();
    for (n, outcome) in outcomes.iter().enumerate() {
        let is_refused = matches!(outcome, Outcome::Refused(Refusal::NoRoom));
        assert_eq!(is_refused, n % 2 == 0 && n < 3, "{n}: {outcome:?}");
    }
    assert_eq!((outcomes.len(), script.commits()), (4, 1));
    assert_eq!(store.status().room, Room::Low);
    store.records(a_key()).await.unwrap();
    // A batch whose writes are all refused does not reach the engine.
    let outcomes = store.commit(vec![append()]).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Refused(Refusal::NoRoom)]), "{outcomes:?}");
    assert_eq!(script.commits(), 1, "the engine was called without a write");
}

#[tokio::test]
async fn free_space_is_measured_after_a_part_of_the_reserve_was_written_and_not_at_every_commit() {
    let script = Script::default();
    let (store, free, measured) = on_a_disk(&script, 1024 * MIB);
    let commits = 500;
    for _ in 0..commits {
        store.commit(vec![expire()]).await.unwrap();
    }
    // Free space is measured at the first batch, and then once per second.
    assert!(measured.load(Ordering::SeqCst) < commits / 10, "{measured:?}");
    free.store(0, Ordering::SeqCst);
    let mut stored = 0;
    while !matches!(store.commit(vec![append()]).await.unwrap()[..], [Outcome::Refused(Refusal::NoRoom)]) {
        stored += 1;
    }
    // Free space is measured after a sixteenth of the reserve. Each batch counts as 64 KiB.
    assert!(stored <= 1024, "{stored} batches went into the reserve");
}

#[tokio::test]
async fn free_space_is_measured_before_a_batch_as_large_as_a_part_of_the_reserve() {
    let script = Script::default();
    let (store, free, _) = on_a_disk(&script, 16 * MIB);
    store.commit(vec![expire()]).await.unwrap();
    free.store(0, Ordering::SeqCst);
    let outcomes = store.commit(vec![append_of(&"x".repeat(1024 * 1024))]).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Refused(Refusal::NoRoom)]), "{outcomes:?}");
}

#[tokio::test]
async fn a_batch_is_stored_if_it_leaves_the_reserve_free() {
    let script = Script::default();
    let (store, free, _) = on_a_disk(&script, 16 * MIB);
    let payload = "x".repeat(1024 * 1024);
    let needed = 16 * MIB + ciphertext(&payload).len() as u64;
    free.store(needed - 1, Ordering::SeqCst);
    let outcomes = store.commit(vec![append_of(&payload)]).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Refused(Refusal::NoRoom)]), "{outcomes:?}");
    free.store(needed, Ordering::SeqCst);
    let outcomes = store.commit(vec![append_of(&payload)]).await.unwrap();
    assert!(!matches!(outcomes[..], [Outcome::Refused(_)]), "{outcomes:?}");
}

#[tokio::test]
async fn free_space_is_not_measured_for_every_status() {
    let script = Script::default();
    let (store, _, measured) = on_a_disk(&script, 1024 * MIB);
    let asked = 500;
    for _ in 0..asked {
        assert_eq!(store.status().room, Room::Enough);
        // This commit waits in the queue behind the measurement, if there is one.
        store.commit(vec![expire()]).await.unwrap();
    }
    // Free space is measured at the first commit, and then once per second.
    assert!(measured.load(Ordering::SeqCst) < asked / 10, "{measured:?}");
}

#[tokio::test]
async fn without_a_reserve_nothing_is_measured() {
    let script = Script::default();
    let (store, free, measured) = on_a_disk(&script, 0);
    free.store(0, Ordering::SeqCst);
    store.commit(vec![append()]).await.unwrap();
    assert_eq!((store.status().room, measured.load(Ordering::SeqCst)), (Room::Enough, 0));
}

#[tokio::test]
async fn a_send_without_room_is_unavailable_because_the_store_is_full() {
    let script = Script::default();
    let (store, free, _) = on_a_disk(&script, MIB);
    free.store(0, Ordering::SeqCst);
    let dm = Service::builder(store).start().unwrap();
    let sent = dm.send(&who(1), message(ConversationId::from_bytes([2; 16]), "payload")).await;
    let Err(Error::Unavailable(error)) = sent else { panic!("{sent:?}") };
    assert_eq!(error.kind(), StoreErrorKind::Full);
}
