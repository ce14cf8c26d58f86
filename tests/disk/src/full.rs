//! Disks without free space.

use dm_conformance::build::{ack_up_to, append, conversation, expire, open, register, user, who};
use dm_conformance::crash::{Fate, Oracle};
use dm_core::store::{
    Answer, Availability, Done, HistoryQuery, HistoryRange, Outcome, Refusal, Room, Store, StoreErrorKind,
};

use crate::child::until_open;
use crate::harness::DiskHarness;
use crate::small::SmallDisk;

const MIB: u64 = 1024 * 1024;
/// The reserve of the store, in bytes, and the size of the disk.
const RESERVE: u64 = 8 * MIB;
const DISK: u64 = 64 * MIB;
/// The number of batches within which a store must notice that free space changed. Half of it would
/// do: a store counts each batch as 64 KiB and measures after a sixteenth of the reserve.
const NOTICED_WITHIN: u64 = 16;
/// More batches than fit into the space that is left on a full disk.
const MANY: u64 = 20_000;

/// If less than its reserve is free, a store refuses writes that take space, with a typed refusal,
/// and commits the other writes of the batch. Once there is space again, it stores again.
///
/// # Panics
/// Panics if the store does otherwise.
pub async fn nearly_full<H: DiskHarness>(test: &str) {
    let Some(disk) = SmallDisk::mount(test, DISK) else { return };
    let path = disk.path().join("dm");
    let store = H::open(&path, RESERVE).unwrap();
    store.commit(vec![open(1, 1, 2), register(who(2))]).await.unwrap();
    assert_eq!(store.status().room, Room::Enough);
    disk.fill(RESERVE / 2);

    let mut sent = 0;
    let outcomes = loop {
        let batch =
            vec![ack_up_to(who(2), 1), append(1, 1, sent + 1).into(), register(who(1)), expire(1, 10)];
        let outcomes = store.commit(batch).await.unwrap();
        if !matches!(answer(&outcomes[1]), Some(Answer::MessageAppended(_))) {
            break outcomes;
        }
        sent += 1;
        assert!(sent < NOTICED_WITHIN, "the store wrote into its reserve");
    };
    assert!(matches!(answer(&outcomes[0]), Some(Answer::Acknowledged(_))), "{outcomes:?}");
    assert!(matches!(outcomes[1], Outcome::Refused(Refusal::NoRoom)), "{outcomes:?}");
    assert!(matches!(answer(&outcomes[2]), Some(Answer::DeviceRegistered(_))), "{outcomes:?}");
    assert!(matches!(answer(&outcomes[3]), Some(Answer::Expired { .. })), "{outcomes:?}");
    assert_eq!(store.status().room, Room::Low);
    assert_eq!(store.status().availability, Availability::Open, "the engine was not called");
    assert_eq!(messages(&store).await, sent, "reads are served");

    disk.make_room();
    for attempt in 1.. {
        let outcomes = store.commit(vec![append(1, 1, sent + 1).into()]).await.unwrap();
        if matches!(outcomes[0], Outcome::Done(_)) {
            break;
        }
        assert!(attempt < NOTICED_WITHIN, "the store does not notice the free space");
    }
    assert_eq!(store.status().room, Room::Enough);
    drop(store);
    assert_eq!(messages(&H::open(&path, RESERVE).unwrap()).await, sent + 1);
}

/// The answer to a write that was done.
const fn answer(outcome: &Outcome) -> Option<&Answer> {
    match outcome {
        Outcome::Done(Done { answer, .. }) => Some(answer),
        Outcome::Refused(_) => None,
    }
}

async fn messages(store: &impl Store) -> u64 {
    let query = HistoryQuery {
        reader: user(1),
        conversation: conversation(1),
        range: HistoryRange::Newest,
        limit: 1_000,
        max_bytes: usize::MAX,
    };
    store.history(query).await.unwrap().unwrap().messages.len() as u64
}

/// A disk without a reserve fills up in the middle of commits. The error is typed. Once there is
/// space again, the same store continues in the same process, and no answered batch is lost.
///
/// # Panics
/// Panics if the store does otherwise.
pub async fn full<H: DiskHarness>(test: &str) {
    let Some(disk) = SmallDisk::mount(test, DISK) else { return };
    let path = disk.path().join("dm");
    let store = H::open(&path, 0).unwrap();
    let mut oracle = Oracle::new(7);
    for _ in 0..10 {
        let outcomes = store.commit(oracle.ask()).await.unwrap();
        oracle.answered(&outcomes).unwrap();
    }
    disk.fill(0);
    let mut refused = None;
    for _ in 0..MANY {
        match store.commit(oracle.ask()).await {
            Ok(outcomes) => oracle.answered(&outcomes).unwrap(),
            Err(error) => {
                refused = Some(error.kind());
                break;
            }
        }
    }
    let refused = refused.expect("the disk fills up");
    assert!(matches!(refused, StoreErrorKind::Full | StoreErrorKind::OutcomeUnknown), "{refused:?}");
    let before = oracle.done();

    disk.make_room();
    until_open(&store).await;
    let fate = oracle.judge(&store).await.unwrap();
    assert!(
        fate == Fate::Absent || refused == StoreErrorKind::OutcomeUnknown,
        "{refused:?}, although the batch is stored"
    );
    for _ in 0..20 {
        let outcomes = store.commit(oracle.ask()).await.unwrap();
        oracle.answered(&outcomes).unwrap();
    }
    assert_eq!(store.status().availability, Availability::Open);
    drop(store);
    oracle.judge(&H::open(&path, 0).unwrap()).await.unwrap();
    println!("{before} batches, then {refused:?}; the batch is {fate:?}; 20 more once there was space");
}
