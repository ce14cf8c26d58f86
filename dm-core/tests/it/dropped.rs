//! The futures of acknowledgements and openings are dropped at each point at which they wait. The
//! write is then stored in full or not at all.

use std::future::Future;

use dm_core::{AckTarget, Depth, Principal};

use crate::common::gate::GatedStore;
use crate::common::{self, World, let_tasks_run, numbers, on, poll_once, seq, user, who};

/// Polls a future at most `polls` times and drops it. Returns whether it was ready.
async fn drop_after<T>(polls: usize, future: impl Future<Output = T>) -> bool {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        if poll_once(&mut future).await.is_some() {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// Runs a trial for each number of polls, up to the number at which the future is ready: once with
/// a store whose commits are held, and once without. Returns the number of trials in which the
/// write happened, and of those in which it did not.
async fn at_every_point(trial: impl AsyncFn(&GatedStore, bool, usize) -> Trial) -> (usize, usize) {
    let (mut stored_count, mut not_stored) = (0, 0);
    for holds in [false, true] {
        for polls in 0.. {
            let store = GatedStore::new();
            let Trial { done, stored } = trial(&store, holds, polls).await;
            stored_count += usize::from(stored);
            not_stored += usize::from(!stored);
            assert!(stored || !done);
            // With held commits the future is never ready. 16 polls are more than it needs to reach
            // the point where it waits for the commit.
            if done || (holds && polls == 16) {
                break;
            }
        }
    }
    (stored_count, not_stored)
}

/// The result of a trial.
struct Trial {
    /// Whether the future was ready before it was dropped.
    done: bool,
    /// Whether the write happened.
    stored: bool,
}

/// The cursor of a device and its number of pending entries. This call registers no device.
async fn unacknowledged(world: &World, who: &Principal) -> (u64, Depth) {
    let devices = world.dm.devices(who).await.unwrap();
    let cursor = devices.iter().find(|state| state.device == who.device).map(|state| state.cursor.get());
    (cursor.unwrap_or(0), world.dm.depth(who).await.unwrap())
}

#[tokio::test]
async fn a_dropped_acknowledgement_is_stored_in_full_or_not_at_all() {
    // The second device is not registered yet, so the call registers it first.
    for device in ["phone", "new"] {
        for target in [AckTarget::UpTo(seq(3)), AckTarget::Entries(vec![seq(2), seq(4)])] {
            let who = on(2, device);
            let (stored_count, not_stored) = at_every_point(async |store, holds, polls| {
                let world = World::with(store.clone(), |_| ());
                let chat = world.open(1, 2).await;
                world.send_many(&common::who(1), chat, 3).await;
                world.pending(&on(2, "phone")).await;
                let_tasks_run().await;
                let before = unacknowledged(&world, &who).await;
                if holds {
                    store.hold_commits();
                }
                let done = drop_after(polls, world.dm.acknowledge(&who, target.clone())).await;
                store.release_commits();
                let_tasks_run().await;
                let found = unacknowledged(&world, &who).await;
                // After a second call the acknowledgement is stored, and only once.
                world.dm.acknowledge(&who, target.clone()).await.unwrap();
                let after = unacknowledged(&world, &who).await;
                assert_ne!(before, after);
                assert!([&before, &after].contains(&&found), "{found:?} after {polls} polls");
                Trial { done, stored: found == after }
            })
            .await;
            assert!(
                stored_count > 0 && not_stored > 0,
                "some were stored and some were not: {stored_count}, {not_stored}"
            );
        }
    }
}

#[tokio::test]
async fn a_dropped_opening_is_stored_in_full_or_not_at_all() {
    let opener = who(1);
    let (stored_count, not_stored) = at_every_point(async |store, holds, polls| {
        let world = World::with(store.clone(), |_| ());
        let_tasks_run().await;
        if holds {
            store.hold_commits();
        }
        let done = drop_after(polls, world.dm.open_conversation(&opener, user(2))).await;
        store.release_commits();
        let_tasks_run().await;
        let mut listed = Vec::new();
        for n in [1, 2] {
            let found = world.dm.conversations(&who(n), 10, None).await.unwrap().conversations;
            // Another device: the opener's own device gets no notice of what it did.
            let notices = numbers(&world.pending(&on(n, "other")).await);
            assert_eq!(notices.len(), found.len(), "after {polls} polls");
            listed.push(found.iter().map(|state| state.conversation.id).collect::<Vec<_>>());
        }
        assert_eq!(listed[0], listed[1], "both users have it, or neither");
        let opened = world.dm.open_conversation(&who(2), user(1)).await.unwrap();
        let stored = listed[0] == [opened.conversation.id];
        assert_eq!(opened.created, !stored);
        Trial { done, stored }
    })
    .await;
    assert!(
        stored_count > 0 && not_stored > 0,
        "some were stored and some were not: {stored_count}, {not_stored}"
    );
}
