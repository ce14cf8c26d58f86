//! The health of the service, and its gauges.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dm_core::store::{Availability, Durability, Room, StoreErrorKind};
use metrics::{Counter, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use crate::common::gate::{Fault, GatedStore, Kind};
use crate::common::{World, derived_key, let_tasks_run, message, poll_once, who};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_commit_older_than_its_bound_makes_the_service_unready_until_it_is_over() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |config| config.commit_bound = 3 * SECOND);
    let chat = world.open(1, 2).await;
    let_tasks_run().await;
    assert_eq!(world.dm.health().oldest_commit, Duration::ZERO);
    store.hold_commits();
    let dm = world.dm.clone();
    let sending = tokio::spawn(async move { dm.send(&who(1), message(chat, "x")).await });
    let_tasks_run().await;
    world.clock.advance(3 * SECOND);
    assert!(world.dm.health().is_ready(), "{:?}", world.dm.health());
    world.clock.advance(SECOND);
    assert!(!world.dm.health().is_ready());
    assert_eq!(world.dm.health().oldest_commit, 4 * SECOND);
    store.release_commits();
    sending.await.unwrap().unwrap();
    assert!(world.dm.health().is_ready(), "{:?}", world.dm.health());
}

#[tokio::test]
async fn a_read_older_than_its_bound_makes_the_service_unready_until_it_is_over_or_dropped() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |config| config.read_bound = 3 * SECOND);
    world.pending(&who(1)).await;
    let who = who(1);
    for drops in [true, false] {
        store.hold_before_inbox();
        let mut reading = Box::pin(world.dm.pending(&who, Default::default()));
        while poll_once(&mut reading).await.is_none() && world.dm.health().oldest_read == Duration::ZERO {
            let_tasks_run().await;
            world.clock.advance(SECOND);
        }
        world.clock.advance(2 * SECOND);
        assert!(world.dm.health().is_ready(), "{:?}", world.dm.health());
        world.clock.advance(SECOND);
        assert!(!world.dm.health().is_ready());
        assert_eq!(world.dm.health().oldest_read, 4 * SECOND);
        if drops {
            drop(reading);
            let_tasks_run().await;
            store.release_inbox();
        } else {
            store.release_inbox();
            reading.await.unwrap();
        }
        assert!(world.dm.health().is_ready(), "{:?}", world.dm.health());
    }
}

#[tokio::test]
async fn a_read_that_is_done_does_not_age_while_its_caller_does_not_poll() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    world.pending(&who(1)).await;
    let who = who(1);
    store.hold_before_inbox();
    let mut held = Box::pin(world.dm.pending(&who, Default::default()));
    assert!(poll_once(&mut held).await.is_none());
    store.release_inbox();
    let_tasks_run().await;
    world.clock.advance(60 * SECOND);
    assert!(world.dm.health().is_ready(), "{:?}", world.dm.health());
    held.await.unwrap();
}

#[tokio::test]
async fn a_failed_commit_makes_the_service_unready_until_its_own_attempt_succeeds() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    let_tasks_run().await;
    // The first failure is for the send, the others for the service's own attempts.
    for _ in 0..5 {
        store.next_commit(Fault::Fail(StoreErrorKind::Unavailable));
    }
    world.dm.send(&who(1), message(chat, "x")).await.unwrap_err();
    // No caller sends during these attempts.
    for pause in [2, 4, 8, 8, 8] {
        world.clock.advance(pause * SECOND - Duration::from_millis(1));
        let_tasks_run().await;
        assert!(!world.dm.health().committing, "{pause}");
        world.clock.advance(Duration::from_millis(1));
        let_tasks_run().await;
    }
    assert!(world.dm.health().is_ready(), "{:?}", world.dm.health());
    // A service that is ready again makes no further attempt.
    let commits = store.batches().len();
    world.clock.advance(9 * SECOND);
    let_tasks_run().await;
    assert_eq!(store.batches().len(), commits);
}

#[tokio::test]
async fn health_counts_the_writes_that_wait() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    let_tasks_run().await;
    store.hold_commits();
    for _ in 0..4 {
        let dm = world.dm.clone();
        tokio::spawn(async move { dm.send(&who(1), message(chat, "x")).await });
        let_tasks_run().await;
    }
    // All sends wait except those that the store is committing.
    let waiting = world.dm.health().queued;
    assert!((3..=4).contains(&waiting), "{waiting} wait");
    store.release_commits();
    let_tasks_run().await;
    assert_eq!(world.dm.health().queued, 0);
}

/// The number of commits with an expiry, failed ones included.
fn expiries(store: &GatedStore) -> usize {
    store.kinds().iter().filter(|batch| batch.contains(&Kind::Expire)).count()
}

#[tokio::test]
async fn expiry_runs_on_time_while_keys_are_published() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    let_tasks_run().await;
    let before = expiries(&store);
    for n in 1..=59 {
        world.clock.advance(SECOND);
        world.dm.publish_key(&who(n), derived_key(n)).await.unwrap();
        let_tasks_run().await;
    }
    assert_eq!(expiries(&store), before);
    world.clock.advance(SECOND);
    let_tasks_run().await;
    assert_eq!(expiries(&store), before + 1);
}

#[tokio::test]
async fn expiry_goes_on_while_announcements_fail() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    world.open(1, 2).await;
    let_tasks_run().await;
    let before = expiries(&store);
    store.fail(Kind::Posts, Some(StoreErrorKind::Full));
    world.dm.publish_key(&who(1), derived_key(1)).await.unwrap();
    for rounds in 1..=3 {
        world.clock.advance(60 * SECOND);
        let_tasks_run().await;
        assert_eq!(expiries(&store), before + rounds);
    }
    assert!(store.kinds().iter().flatten().filter(|kind| **kind == Kind::Posts).count() > 1, "it was tried");
}

#[tokio::test]
async fn a_failed_expiry_alone_does_not_keep_the_service_unready() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    let_tasks_run().await;
    store.fail(Kind::Expire, Some(StoreErrorKind::Engine));
    world.clock.advance(60 * SECOND);
    let_tasks_run().await;
    assert!(!world.dm.health().committing);
    world.clock.advance(4 * SECOND);
    let_tasks_run().await;
    assert!(world.dm.health().is_ready(), "{:?}", world.dm.health());
}

#[tokio::test]
async fn a_closed_store_gets_no_further_commit() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    let_tasks_run().await;
    store.set_status(|status| status.availability = Availability::Closed);
    store.next_commit(Fault::Fail(StoreErrorKind::Closed));
    world.dm.send(&who(1), message(chat, "x")).await.unwrap_err();
    let commits = store.batches().len();
    world.clock.advance(10 * SECOND);
    let_tasks_run().await;
    assert_eq!(store.batches().len(), commits);
}

#[tokio::test]
async fn readiness_depends_on_the_room_and_availability_of_the_store_but_not_on_its_durability() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    assert!(world.dm.health().is_ready());
    store.set_status(|status| status.room = Room::Low);
    assert!(!world.dm.health().is_ready());
    for availability in [Availability::Reopening, Availability::Closed] {
        store.set_status(|status| status.availability = availability);
        assert!(!world.dm.health().is_ready());
        assert_eq!(world.dm.health().store.availability, availability);
    }
    store.set_status(|status| status.durability = Durability::NotSynced);
    assert!(world.dm.health().is_ready(), "durability is the operator's choice");
    assert_eq!(world.dm.health().store.durability, Durability::NotSynced);
}

#[tokio::test]
async fn the_gauges_show_the_health() {
    let gauges = Gauges::default();
    let _here = metrics::set_default_local_recorder(&gauges);
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    let_tasks_run().await;
    assert_eq!((gauges.value("dm_ready"), gauges.value("dm_store_open")), (1.0, 1.0));
    assert_eq!(gauges.value("dm_store_durability synced"), 1.0);
    store.set_status(|status| {
        status.room = Room::Low;
        status.durability = Durability::AsynchronousReplica;
    });
    store.hold_commits();
    let dm = world.dm.clone();
    tokio::spawn(async move { dm.send(&who(1), message(chat, "x")).await });
    let_tasks_run().await;
    world.clock.advance(20 * SECOND);
    let_tasks_run().await;
    assert_eq!((gauges.value("dm_ready"), gauges.value("dm_store_room_low")), (0.0, 1.0));
    assert_eq!(gauges.value("dm_store_durability synced"), 0.0);
    assert_eq!(gauges.value("dm_store_durability asynchronous_replica"), 1.0);
    assert_eq!(gauges.value("dm_oldest_commit_seconds"), 20.0);
    assert_eq!(gauges.value("dm_oldest_read_seconds"), 0.0);
}

/// The newest value of each gauge, by the gauge's name and labels.
#[derive(Default)]
struct Gauges(Arc<Mutex<BTreeMap<String, f64>>>);

struct Named(Arc<Mutex<BTreeMap<String, f64>>>, String);

impl Gauges {
    fn value(&self, name: &str) -> f64 {
        self.0.lock().unwrap()[name]
    }
}

impl Recorder for Gauges {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let words = std::iter::once(key.name()).chain(key.labels().map(|label| label.value()));
        let name = words.collect::<Vec<_>>().join(" ");
        Gauge::from_arc(Arc::new(Named(Arc::clone(&self.0), name)))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

impl GaugeFn for Named {
    fn increment(&self, _: f64) {}
    fn decrement(&self, _: f64) {}

    fn set(&self, value: f64) {
        self.0.lock().unwrap().insert(self.1.clone(), value);
    }
}
