//! Futures of acknowledging and opening, dropped at every point where they wait: done or not done,
//! never half.

use std::future::Future;

use dm_core::{AckTarget, Depth, Principal};

use crate::common::gate::GatedStore;
use crate::common::{self, World, numbers, on, poll_once, seq, let_tasks_run, user, who};

/// Polls a future so many times, and drops it. Returns whether it was done before.
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

/// Runs a trial for each number of polls, up to that with which it is done; with the store standing
/// still, and not. Returns how many of the trials in between happened, and how many did not.
async fn at_every_point(trial: impl AsyncFn(&GatedStore, bool, usize) -> Trial) -> (usize, usize) {
    let (mut happened, mut not) = (0, 0);
    for holds in [false, true] {
        for polls in 0.. {
            let store = GatedStore::new();
            let Trial { done, stands } = trial(&store, holds, polls).await;
            happened += usize::from(stands);
            not += usize::from(!stands);
            assert!(stands || !done);
            // A store that stands still lets nobody be done: a few polls go through all that can be
            // waited for.
            if done || (holds && polls == 16) {
                break;
            }
        }
    }
    (happened, not)
}

/// How a trial went.
struct Trial {
    /// Whether the future was done before it was dropped.
    done: bool,
    /// Whether what it was for happened.
    stands: bool,
}

/// What is pending for a device, known or not, without registering it.
async fn unacknowledged(world: &World, who: &Principal) -> (u64, Depth) {
    let devices = world.dm.devices(who).await.unwrap();
    let cursor = devices.iter().find(|state| state.device == who.device).map(|state| state.cursor.get());
    (cursor.unwrap_or(0), world.dm.depth(who).await.unwrap())
}

#[tokio::test]
async fn an_acknowledgement_dropped_at_any_point_happened_in_full_or_not_at_all() {
    // The second is of a device that was never seen, which is registered on the way.
    for device in ["phone", "new"] {
        for target in [AckTarget::UpTo(seq(3)), AckTarget::Entries(vec![seq(2), seq(4)])] {
            let who = on(2, device);
            let (happened, not) = at_every_point(async |store, holds, polls| {
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
                // Asking again makes it happen, once.
                world.dm.acknowledge(&who, target.clone()).await.unwrap();
                let after = unacknowledged(&world, &who).await;
                assert_ne!(before, after);
                assert!([&before, &after].contains(&&found), "{found:?} after {polls} polls");
                Trial { done, stands: found == after }
            })
            .await;
            assert!(happened > 0 && not > 0, "both ends were tried: {happened}, {not}");
        }
    }
}

#[tokio::test]
async fn an_opening_dropped_at_any_point_happened_in_full_or_not_at_all() {
    let opener = who(1);
    let (happened, not) = at_every_point(async |store, holds, polls| {
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
            // The opener's own device is not told of what it did.
            let notices = numbers(&world.pending(&on(n, "other")).await);
            assert_eq!(notices.len(), found.len(), "after {polls} polls");
            listed.push(found.iter().map(|state| state.conversation.id).collect::<Vec<_>>());
        }
        assert_eq!(listed[0], listed[1], "both are in it, or neither");
        let opened = world.dm.open_conversation(&who(2), user(1)).await.unwrap();
        let stands = listed[0] == [opened.conversation.id];
        assert_eq!(opened.created, !stands);
        Trial { done, stands }
    })
    .await;
    assert!(happened > 0 && not > 0, "both ends were tried: {happened}, {not}");
}
