//! Jobs in general: those that fail, those that wait for a full store, and the lane of their own.

use std::time::Duration;

use bytes::Bytes;
use dm_core::record::{Kind as RecordKind, Name, Owner, Record, RecordKey, Tag};
use dm_core::store::{Change, Outcome, Put, Scan, ScanQuery, Store, StoreErrorKind, Write, key_announcement};
use dm_core::{Event, MemoryStore, Notice, Timestamp};

use crate::common::gate::{Fault, GatedStore, Kind};
use crate::common::{START, World, derived_key, let_tasks_run, message, user, who};

const SECOND: Duration = Duration::from_secs(1);

/// Stores a job's record.
async fn add(store: &impl Store, job: Record) {
    let put = Put { key: job.key, value: job.value, tag: job.tag, due: job.due };
    let outcomes = store.commit(vec![Write::default().change(Change::Put(put))]).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Done(_)]), "{outcomes:?}");
}

/// A job that announces the key of user `n`.
fn job_of(n: u64) -> Record {
    key_announcement(user(n), None, Tag::from_bytes([1; 16]))
}

/// The records of the jobs that are not done, the one that is due first at the front.
async fn jobs(store: &impl Store) -> Vec<Record> {
    let until = Timestamp::from_millis(u64::MAX);
    let scan = Scan::Due { kind: RecordKind::KEY_ANNOUNCEMENT, until, after: None };
    store.scan(ScanQuery { scan, limit: 1_000, max_bytes: usize::MAX }).await.unwrap().records
}

/// The number of key notices in the inbox of a user.
async fn told(world: &World, n: u64) -> usize {
    let entries = world.pending(&who(n)).await;
    entries.iter().filter(|entry| matches!(entry.event, Event::Notice(Notice::PeerKeyChanged(_)))).count()
}

#[tokio::test]
async fn a_job_that_always_fails_is_tried_after_pauses_that_double_up_to_an_hour() {
    let store = MemoryStore::new();
    let key = RecordKey::new(Owner::Store, RecordKind::KEY_ANNOUNCEMENT, Name::EMPTY);
    add(&store, Record { key, ..job_of(1) }).await;
    let world = World::with(store.clone(), |_| ());
    let_tasks_run().await;
    let mut now = START;
    for pause in [30, 60, 120, 240, 480, 960, 1920, 3600, 3600] {
        let due = jobs(&store).await[0].due.unwrap();
        assert_eq!(due, now.after(pause * SECOND), "{pause} s");
        while jobs(&store).await[0].due == Some(due) {
            now = now.after(30 * SECOND);
            world.clock.advance(30 * SECOND);
            let_tasks_run().await;
        }
    }
}

#[tokio::test]
async fn a_job_of_an_unknown_form_is_put_off_as_it_is() {
    let store = MemoryStore::new();
    let value = Bytes::from_static(b"\x02of a newer version");
    add(&store, Record { value: value.clone(), ..job_of(1) }).await;
    let world = World::with(store.clone(), |_| ());
    for hours in 1..4 {
        let_tasks_run().await;
        let [job] = &jobs(&store).await[..] else { panic!("the job is gone") };
        assert_eq!((&job.value, job.due), (&value, Some(START.after(3600 * SECOND * hours))));
        world.clock.advance(3600 * SECOND);
    }
}

#[tokio::test]
async fn jobs_that_fail_hold_up_no_other() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    for peer in 2..12 {
        world.open(1, peer).await;
    }
    let_tasks_run().await;
    // There are more of them than one scan finds, and all are due before the job of user 1.
    for n in 0..200_u64 {
        let value = match n % 3 {
            0 => Bytes::new(),
            1 => Bytes::from_static(b"\x02of a newer version"),
            _ => Bytes::from_static(b"\x01\x00no conversation"),
        };
        let name = Name::new(n.to_be_bytes().to_vec()).unwrap();
        let key = RecordKey::new(Owner::User(user(1)), RecordKind::KEY_ANNOUNCEMENT, name);
        add(&store.inner, Record { key, value, ..job_of(1) }).await;
    }
    world.dm.publish_key(&who(1), derived_key(1)).await.unwrap();
    for _ in 0..10 {
        let_tasks_run().await;
    }
    for peer in 2..12 {
        assert_eq!(told(&world, peer).await, 1);
    }
    assert_eq!(jobs(&store.inner).await.len(), 200, "those that fail are kept");
}

#[tokio::test]
async fn a_job_waits_while_the_store_is_full_and_entries_still_expire() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    world.open(1, 2).await;
    world.open(3, 4).await;
    store.hold_posts();
    for n in [1, 3] {
        world.dm.publish_key(&who(n), derived_key(n)).await.unwrap();
    }
    let_tasks_run().await;
    store.set_full(true);
    store.release_all_posts();
    for n in 10..200 {
        add(&store.inner, job_of(n)).await;
    }
    let (before, claims_before) = (store.count(Kind::Expire), store.count(Kind::Other));
    for minutes in 1..=5 {
        world.clock.advance(60 * SECOND);
        let_tasks_run().await;
        assert_eq!(store.count(Kind::Expire), before + minutes);
        // Each search, of which there is one in half a minute, ends at the first refusal.
        let claims = store.count(Kind::Other) - claims_before;
        assert!((1..=2).contains(&(claims / minutes)), "{claims} claims in {minutes} minutes");
        assert_eq!((told(&world, 2).await, told(&world, 4).await), (0, 0));
    }
    store.set_full(false);
    for _ in 0..10 {
        world.clock.advance(60 * SECOND);
        let_tasks_run().await;
    }
    assert_eq!((told(&world, 2).await, told(&world, 4).await), (1, 1));
    assert!(jobs(&store.inner).await.is_empty());
}

#[tokio::test]
async fn sends_are_committed_while_a_batch_of_five_hundred_posts_waits_in_the_store() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |config| {
        config.announce_step = 500;
        // The posts count far more bytes than the queue of sends has.
        config.max_payload = 1_000;
        config.queue_bytes = 4_000;
    });
    for peer in 2..502 {
        world.open(1, peer).await;
    }
    let chat = world.open(2, 3).await;
    store.hold_posts();
    world.dm.publish_key(&who(1), derived_key(1)).await.unwrap();
    let_tasks_run().await;
    let before = store.kinds().len();
    let sends: Vec<_> = (0..100)
        .map(|_| {
            let dm = world.dm.clone();
            tokio::spawn(async move { dm.send(&who(2), message(chat, &"x".repeat(900))).await })
        })
        .collect();
    for _ in 0..100 {
        let_tasks_run().await;
    }
    for send in sends {
        assert!(send.is_finished(), "a send waits for the posts");
        send.await.unwrap().unwrap();
    }
    store.release_all_posts();
    let_tasks_run().await;
    let batches = store.kinds().split_off(before);
    assert_eq!(batches.last(), Some(&vec![Kind::Posts]), "all sends were committed before the posts");
    assert_eq!(batches.concat().iter().filter(|kind| **kind == Kind::Append).count(), 100);
    assert_eq!(told(&world, 501).await, 1);
}

#[tokio::test]
async fn a_service_becomes_ready_again_while_a_job_hangs() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    store.hold_posts();
    world.dm.publish_key(&who(1), derived_key(1)).await.unwrap();
    let_tasks_run().await;
    store.next_commit(Fault::Fail(StoreErrorKind::Unavailable));
    world.dm.send(&who(1), message(chat, "x")).await.unwrap_err();
    assert!(!world.dm.health().committing);
    let_tasks_run().await;
    world.clock.advance(4 * SECOND);
    let_tasks_run().await;
    assert!(world.dm.health().is_ready(), "{:?}", world.dm.health());
}
