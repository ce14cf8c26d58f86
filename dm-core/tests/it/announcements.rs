//! The job that tells a user's peers of the user's new key.

use std::collections::BTreeMap;
use std::time::Duration;

use dm_core::record::{Kind as RecordKind, Owner};
use dm_core::store::{InboxQuery, OpenConversation, OwnEntries, Scan, ScanQuery, Store, Write};
use dm_core::{
    Config, ConversationId, Error, Event, InboxSeq, KeyPolicy, MemoryStore, Notice, Participants, Timestamp,
    UserId,
};

use crate::common::gate::{Fault, GatedStore, Kind};
use crate::common::{START, World, derived_key, let_tasks_run, poll_once, user, who};

const MINUTE: Duration = Duration::from_secs(60);
/// The number of peers of user 1 in most tests. At seven peers per step there are six steps.
const PEERS: u64 = 40;
const STEPS: usize = 6;

fn steps_of_seven(config: &mut Config) {
    config.announce_step = 7;
    config.key_policy = KeyPolicy::AcceptUnproven;
}

/// Opens conversations of user 1 with the users `2..2 + count`.
async fn open_with_peers(world: &World, count: u64) {
    for peer in 2..2 + count {
        world.open(1, peer).await;
    }
}

/// The key versions of user 1 that a user was told, in order.
async fn told(store: &impl Store, peer: UserId) -> Vec<u32> {
    let query = InboxQuery {
        who: peer.into(),
        after: InboxSeq::ZERO,
        own: OwnEntries::Include,
        limit: 10_000,
        max_bytes: usize::MAX,
    };
    let page = store.inbox(query).await.unwrap();
    let version = |event: &Event| match event {
        Event::Notice(Notice::PeerKeyChanged(record)) if record.user == user(1) => Some(record.version.get()),
        _ => None,
    };
    page.entries.iter().filter_map(|entry| version(&entry.event)).collect()
}

/// Asserts that each of the first peers was told the versions, once each.
async fn each_was_told(store: &impl Store, versions: &[u32], case: &str) {
    for peer in 2..2 + PEERS {
        assert_eq!(told(store, user(peer)).await, versions, "peer {peer}, {case}");
    }
}

/// The users whose announcements are not done.
async fn unfinished(store: &impl Store) -> Vec<Owner> {
    let until = Timestamp::from_millis(u64::MAX);
    let scan = Scan::Due { kind: RecordKind::KEY_ANNOUNCEMENT, until, after: None };
    let page = store.scan(ScanQuery { scan, limit: 1_000, max_bytes: usize::MAX }).await.unwrap();
    page.records.into_iter().map(|record| record.key.owner).collect()
}

/// Advances the clock until every announcement is done.
async fn finish(world: &World, store: &impl Store) {
    for _ in 0..60 {
        let_tasks_run().await;
        if unfinished(store).await.is_empty() {
            return;
        }
        world.clock.advance(MINUTE);
    }
    panic!("an announcement is not done within an hour");
}

/// The way in which a service ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    ShutDown,
    /// As when the process is killed: every task ends at once.
    Killed,
    /// As [`Killed`](Self::Killed), after the last step was stored and before the service knew it.
    KilledBeforeTheAnswer,
}

#[test]
fn a_service_that_ends_at_any_step_leaves_the_rest_to_another_service() {
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    for steps in 0..=STEPS {
        for end in [End::ShutDown, End::Killed, End::KilledBeforeTheAnswer] {
            let store = GatedStore::new();
            let first = runtime();
            first.block_on(async {
                let world = World::with(store.clone(), steps_of_seven);
                open_with_peers(&world, PEERS).await;
                store.hold_posts();
                world.dm.publish_key(&who(1), derived_key(1)).await.unwrap();
                for step in 1..=steps {
                    let is_lost = step == steps && end == End::KilledBeforeTheAnswer;
                    store.next_posts(if is_lost { Fault::StoredUnknown } else { Fault::None });
                }
                store.release_posts(steps);
                let_tasks_run().await;
                if end == End::ShutDown {
                    let mut stopping = Box::pin(world.dm.shutdown(MINUTE));
                    assert!(poll_once(&mut stopping).await.is_none(), "it waits for the step that hangs");
                    world.clock.advance(MINUTE);
                    stopping.await;
                }
            });
            drop(first);
            assert_eq!(store.count(Kind::Posts), steps);
            runtime().block_on(async {
                let world = World::with(store.inner.clone(), steps_of_seven);
                finish(&world, &store.inner).await;
                each_was_told(&store.inner, &[1], &format!("{end:?} after step {steps}")).await;
            });
        }
    }
}

#[tokio::test]
async fn a_step_whose_outcome_is_unknown_tells_nobody_twice() {
    for unknown in 1..=STEPS {
        for stored in [Fault::StoredUnknown, Fault::Short] {
            let store = GatedStore::new();
            let world = World::with(store.clone(), steps_of_seven);
            open_with_peers(&world, PEERS).await;
            for _ in 1..unknown {
                store.next_posts(Fault::None);
            }
            store.next_posts(stored);
            world.dm.publish_key(&who(1), derived_key(1)).await.unwrap();
            finish(&world, &store.inner).await;
            each_was_told(&store.inner, &[1], &format!("{stored:?} at step {unknown}")).await;
        }
    }
}

#[tokio::test]
async fn a_publication_whose_outcome_is_unknown_is_announced_without_another_call() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), steps_of_seven);
    open_with_peers(&world, PEERS).await;
    let_tasks_run().await;
    store.next_commit(Fault::StoredUnknown);
    let unknown = world.dm.publish_key(&who(1), derived_key(1)).await;
    assert!(matches!(unknown, Err(Error::OutcomeUnknown(_))), "{unknown:?}");
    let_tasks_run().await;
    each_was_told(&store.inner, &[1], "before the retry").await;
    assert_eq!(world.dm.publish_key(&who(1), derived_key(1)).await.unwrap().version.get(), 1);
    finish(&world, &store.inner).await;
    each_was_told(&store.inner, &[1], "after the retry").await;
}

#[tokio::test]
async fn publications_at_once_are_announced_in_order_and_the_last_one_to_everybody() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), steps_of_seven);
    open_with_peers(&world, PEERS).await;
    let publications: Vec<_> = (1..=16)
        .map(|n| {
            let dm = world.dm.clone();
            tokio::spawn(async move { dm.publish_key(&who(1), derived_key(n)).await.unwrap().version.get() })
        })
        .collect();
    let mut versions = Vec::new();
    for publication in publications {
        versions.push(publication.await.unwrap());
    }
    versions.sort_unstable();
    assert_eq!(versions, (1..=16).collect::<Vec<_>>());
    finish(&world, &store.inner).await;
    for peer in 2..2 + PEERS {
        let told = told(&store.inner, user(peer)).await;
        assert!(told.is_sorted_by(|one, next| one < next), "{told:?}");
        assert_eq!(told.last(), Some(&16));
    }
}

#[tokio::test]
async fn two_services_on_one_store_tell_each_peer_once() {
    let store = GatedStore::new();
    let worlds = [(); 2].map(|()| World::with(store.clone(), steps_of_seven));
    for publisher in 100..120 {
        for peer in 2..22 {
            worlds[0].open(publisher, peer).await;
        }
    }
    // Both services have claimed jobs before one of them makes a step.
    store.hold_posts();
    for publisher in 100..120 {
        let dm = &worlds[usize::from(publisher % 2 == 0)].dm;
        dm.publish_key(&who(publisher), derived_key(publisher)).await.unwrap();
    }
    let_tasks_run().await;
    store.release_all_posts();
    for _ in 0..10 {
        for world in &worlds {
            let_tasks_run().await;
            world.clock.advance(MINUTE);
        }
    }
    assert!(unfinished(&store.inner).await.is_empty());
    for peer in 2..22 {
        let mut by_publisher = BTreeMap::<UserId, usize>::new();
        for entry in worlds[0].pending(&who(peer)).await {
            if let Event::Notice(Notice::PeerKeyChanged(record)) = entry.event {
                *by_publisher.entry(record.user).or_default() += 1;
            }
        }
        assert_eq!(by_publisher.len(), 20);
        assert!(by_publisher.values().all(|count| *count == 1), "{by_publisher:?}");
    }
}

#[tokio::test]
async fn a_service_whose_claim_has_run_out_ends_its_work_on_the_job() {
    let store = GatedStore::new();
    let slow = World::with(store.clone(), steps_of_seven);
    open_with_peers(&slow, PEERS).await;
    store.hold_posts();
    slow.dm.publish_key(&who(1), derived_key(1)).await.unwrap();
    let_tasks_run().await;
    // The step of the slow service hangs in its store, and another service goes on without it.
    let other = World::with(store.inner.clone(), steps_of_seven);
    finish(&other, &store.inner).await;
    each_was_told(&store.inner, &[1], "by the other service").await;
    store.release_all_posts();
    let_tasks_run().await;
    each_was_told(&store.inner, &[1], "after the slow step").await;
    assert_eq!(store.count(Kind::Posts), 1, "the slow service makes no further step");
}

/// Peer `n`, with a cheap id that is no point on the curve.
fn cheap_peer(n: u64) -> UserId {
    let mut bytes = [0xa5; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    UserId::from_stored(bytes)
}

/// The conversation of user 1 and a peer, in the order of peers.
fn opening(n: u64) -> Write {
    let id = ConversationId::from_bytes(u128::from(n).to_be_bytes());
    let participants = Participants::new(user(1), cheap_peer(n)).unwrap();
    OpenConversation { id, participants, opener: who(1), at: START }.into()
}

#[tokio::test]
async fn ten_thousand_peers_are_told_once_while_others_write_and_a_second_key_is_published() {
    const MANY: u64 = 10_000;
    const TOLD_OF_THE_FIRST: usize = 7;
    let store = GatedStore::new();
    store.inner.commit((0..MANY).map(opening).collect()).await.unwrap();
    let world = World::with(store.clone(), |config| {
        steps_of_seven(config);
        config.announce_step = 500;
    });
    store.hold_posts();
    world.dm.publish_key(&who(1), derived_key(1)).await.unwrap();
    store.release_posts(TOLD_OF_THE_FIRST);
    let_tasks_run().await;
    // In mid-job conversations move within the list by activity, and new ones are opened.
    for n in (0..MANY).step_by(50) {
        let chat = ConversationId::from_bytes(u128::from(n).to_be_bytes());
        world.send(&cheap_peer(n).into(), chat, "x").await;
    }
    for n in MANY..MANY + 100 {
        world.dm.open_conversation(&cheap_peer(n).into(), user(1)).await.unwrap();
    }
    world.dm.publish_key(&who(1), derived_key(2)).await.unwrap();
    for n in MANY + 100..MANY + 200 {
        world.dm.open_conversation(&cheap_peer(n).into(), user(1)).await.unwrap();
    }
    store.release_all_posts();
    finish(&world, &store.inner).await;
    for n in 0..MANY + 100 {
        let expected: &[u32] = if n < 500 * TOLD_OF_THE_FIRST as u64 { &[1, 2] } else { &[2] };
        assert_eq!(told(&store.inner, cheap_peer(n)).await, expected, "peer {n}");
    }
    for n in MANY + 100..MANY + 200 {
        let told = told(&store.inner, cheap_peer(n)).await;
        assert!(told.is_empty() || told == [2], "peer {n}, who began after the publication: {told:?}");
    }
}

#[tokio::test]
async fn the_current_key_is_not_announced_again_and_nobody_without_a_conversation_is_told() {
    let store = MemoryStore::new();
    let world = World::with(store.clone(), steps_of_seven);
    open_with_peers(&world, PEERS).await;
    world.open(100, 101).await;
    for _ in 0..3 {
        world.dm.publish_key(&who(1), derived_key(1)).await.unwrap();
        finish(&world, &store).await;
    }
    each_was_told(&store, &[1], "published three times").await;
    for n in [1, 100, 101] {
        assert!(told(&store, user(n)).await.is_empty());
    }
    // A user without conversations leaves no job behind.
    world.dm.publish_key(&who(200), derived_key(200)).await.unwrap();
    let_tasks_run().await;
    assert!(unfinished(&store).await.is_empty());
}
