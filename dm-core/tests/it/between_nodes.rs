//! The calls of a notifier between nodes to the hub: watches of users, and hints without entries.

use dm_core::notify::{NullNotifier, Reach, SeqHint};
use dm_core::{DeviceId, MemoryStore};

use crate::common::gate::GatedStore;
use crate::common::{World, backlog, let_tasks_run, on, poll_once, seq, text, user, who};

fn hint(n: u64, origin: Option<DeviceId>) -> SeqHint {
    SeqHint { user: user(2), seq: seq(n), origin }
}

/// A world whose notifier drops all hints, so that only the test gives the hub hints.
fn without_hints(store: impl dm_core::store::Store) -> World {
    World::notifying(store, |_| NullNotifier, |_| ())
}

#[tokio::test]
async fn a_watch_starts_with_connected_users_and_returns_first_and_last_sessions_only() {
    let world = World::new();
    let _early = world.connect(&who(1)).await;
    let mut watch = world.hub.watch();
    assert_eq!(watch.changed().await, [user(1)]);

    let phone = world.connect(&on(2, "phone")).await;
    assert_eq!(watch.changed().await, [user(2)]);
    assert!(world.hub.is_connected(user(2)));
    let desk = world.connect(&on(2, "desk")).await;
    drop(phone);
    assert!(poll_once(&mut Box::pin(watch.changed())).await.is_none(), "one of two sessions remains");
    drop(desk);
    assert_eq!(watch.changed().await, [user(2)]);
    assert!(!world.hub.is_connected(user(2)));
}

#[tokio::test]
async fn a_watch_ignores_takeovers_and_short_connections() {
    let world = World::new();
    let old = world.connect(&who(1)).await;
    let mut watch = world.hub.watch();
    watch.changed().await;
    let new = world.connect(&who(1)).await;
    drop(old);
    drop(world.connect(&who(2)).await);
    assert!(poll_once(&mut Box::pin(watch.changed())).await.is_none());
    drop(new);
    assert_eq!(watch.changed().await, [user(1)]);
}

#[tokio::test]
async fn a_user_who_connects_wakes_a_waiting_watch() {
    let world = World::new();
    let mut watch = world.hub.watch();
    let mut waiting = Box::pin(watch.changed());
    assert!(poll_once(&mut waiting).await.is_none());
    let _session = world.connect(&who(1)).await;
    assert_eq!(waiting.await, [user(1)]);
}

#[tokio::test]
async fn a_hint_without_its_entry_makes_the_session_read_it() {
    let world = without_hints(MemoryStore::new());
    let chat = world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    backlog(&mut session).await;
    world.send(&who(1), chat, "large").await;
    let_tasks_run().await;
    assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
    assert_eq!(world.hub.hint(&hint(2, None)), Reach::Connected);
    assert_eq!(text(&mut session).await, "large");
    assert_eq!(world.hub.hint(&SeqHint { user: user(3), ..hint(1, None) }), Reach::Absent);
}

#[tokio::test]
async fn a_hint_of_a_known_or_own_entry_costs_no_read() {
    let store = GatedStore::new();
    let world = without_hints(store.clone());
    let chat = world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    backlog(&mut session).await;
    world.send(&who(2), chat, "own").await;
    store.hold_before_inbox();
    for (n, origin) in [(1, None), (2, Some(DeviceId::default())), (2, None), (1, None)] {
        world.hub.hint(&hint(n, origin));
        assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
    }
    assert_eq!(session.position(), seq(2), "passed over without a read");
    assert_eq!(
        world.hub.hint(&hint(2, Some(DeviceId::default()))),
        Reach::Absent,
        "no session but that of its origin"
    );
}

#[tokio::test]
async fn a_hint_beyond_the_newest_entry_costs_one_read_and_loses_nothing() {
    let world = without_hints(MemoryStore::new());
    let chat = world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    backlog(&mut session).await;
    world.hub.hint(&hint(u64::MAX, None));
    assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
    world.send(&who(1), chat, "real").await;
    world.hub.hint(&hint(2, None));
    assert_eq!(text(&mut session).await, "real");
}

#[tokio::test]
async fn a_recheck_makes_the_sessions_read_entries_without_hints() {
    let world = without_hints(MemoryStore::new());
    let chat = world.open(1, 2).await;
    let mut phone = world.connect(&on(2, "phone")).await;
    let mut desk = world.connect(&on(2, "desk")).await;
    backlog(&mut phone).await;
    backlog(&mut desk).await;
    world.send(&who(1), chat, "unannounced").await;
    world.hub.recheck(user(2));
    assert_eq!(text(&mut phone).await, "unannounced");
    assert_eq!(text(&mut desk).await, "unannounced");
}
