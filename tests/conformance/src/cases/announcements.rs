//! The documentation of [`AnnounceKeys`](dm_core::store::AnnounceKeys).

use dm_core::store::{Event, KeyRecord, Notice, Outcome};

use crate::build::{announce, append, at, open, publish, version, who};
use crate::{Harness, World};

/// Every user with a conversation with the publisher is told, and no other user.
pub async fn each_peer_is_told_once<H: Harness>(world: World<H>) {
    peers(&world, 3).await;
    world.commit(vec![open(9, 8, 9), publish(0, 1, 5)]).await;
    must_be!(step(&world, 100).await, (3, false));
    must_be!(step(&world, 100).await, (0, false));
    let record = world.key(0).await.unwrap();
    for n in 1..=3 {
        must_be!(told(&world, n).await, [record]);
    }
    for n in [0, 8, 9] {
        must_be!(told(&world, n).await, []);
    }
}

/// The notice has the time of the announcement and no device as its origin.
pub async fn an_announcement_is_an_entry_like_any_other<H: Harness>(world: World<H>) {
    peers(&world, 1).await;
    world.commit(vec![publish(0, 1, 5), append(1, 0, 6).into(), announce(10, 70)]).await;
    let entry = world.inbox(&who(1)).await.entries.pop().unwrap();
    must_be!((entry.seq.get(), entry.at, entry.origin), (3, at(70), None));
}

/// Some peers are told now and the others later, none of them twice.
pub async fn a_step_tells_no_more_than_its_limit<H: Harness>(world: World<H>) {
    peers(&world, 5).await;
    world.done(publish(0, 1, 5)).await;
    must_be!(step(&world, 2).await, (2, true));
    must_be!(step(&world, 2).await, (2, true));
    must_be!(step(&world, 2).await.0, 1);
    must_be!(step(&world, 2).await, (0, false));
    for n in 1..=5 {
        must_be!(told(&world, n).await.len(), 1, "peer {n}");
    }
}

/// Zero is a valid limit.
pub async fn a_step_of_no_peers_tells_nobody_and_says_that_there_are_more<H: Harness>(world: World<H>) {
    peers(&world, 2).await;
    world.done(publish(0, 1, 5)).await;
    must_be!(step(&world, 0).await, (0, true));
    must_be!(step(&world, 100).await, (2, false));
}

/// The limit counts the peers of all publishers together.
pub async fn a_step_goes_on_with_the_next_publisher<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 3, 4), publish(1, 1, 5), publish(3, 2, 5)]).await;
    must_be!(step(&world, 1).await, (1, true));
    must_be!(step(&world, 10).await, (1, false));
    for n in [2, 4] {
        must_be!(told(&world, n).await.len(), 1, "peer {n}");
    }
}

/// The peers have been told of this key before.
pub async fn the_same_key_again_is_not_announced<H: Harness>(world: World<H>) {
    peers(&world, 2).await;
    world.commit(vec![publish(0, 1, 5), announce(100, 6), publish(0, 1, 7)]).await;
    must_be!(step(&world, 100).await, (0, false));
}

/// A key that was replaced before a peer was told of it is not announced to that peer.
pub async fn peers_are_told_the_key_that_is_current<H: Harness>(world: World<H>) {
    peers(&world, 2).await;
    world.commit(vec![publish(0, 1, 5), publish(0, 2, 6)]).await;
    must_be!(step(&world, 100).await, (2, false));
    let record = world.key(0).await.unwrap();
    must_be!(record.version, version(2));
    must_be!(told(&world, 1).await, [record]);
}

/// A new key while peers are still to be told starts again with all peers.
pub async fn a_change_amid_steps_is_told_to_everybody<H: Harness>(world: World<H>) {
    peers(&world, 3).await;
    world.commit(vec![publish(0, 1, 5), announce(1, 6), publish(0, 2, 7)]).await;
    must_be!(step(&world, 100).await, (3, false));
    for n in 1..=3 {
        must_be!(told(&world, n).await.last().unwrap().version, version(2), "peer {n}");
    }
}

/// A new peer reads the key when the conversation is opened.
pub async fn peers_who_come_later_are_not_told<H: Harness>(world: World<H>) {
    peers(&world, 2).await;
    world.commit(vec![publish(0, 1, 5), open(3, 3, 0)]).await;
    must_be!(step(&world, 100).await, (2, false));
    must_be!(told(&world, 3).await, []);
}

/// The publisher has no conversations.
pub async fn a_user_without_conversations_announces_nothing<H: Harness>(world: World<H>) {
    world.done(publish(0, 1, 5)).await;
    must_be!(step(&world, 100).await, (0, false));
    peers(&world, 1).await;
    must_be!(step(&world, 100).await, (0, false));
}

/// The host was restarted after half of the peers were told.
pub async fn announcements_that_are_left_are_made_after_reopening<H: Harness>(mut world: World<H>) {
    peers(&world, 4).await;
    world.commit(vec![publish(0, 1, 5), announce(2, 6)]).await;
    world.reopen().await;
    must_be!(step(&world, 100).await, (2, false));
    for n in 1..=4 {
        must_be!(told(&world, n).await.len(), 1, "peer {n}");
    }
}

/// Concurrent steps, as two nodes take them.
pub async fn steps_at_once_tell_nobody_twice<H: Harness>(world: World<H>) {
    peers(&world, 9).await;
    world.done(publish(0, 1, 5)).await;
    world.at_once((0..12).map(|_| vec![announce(1, 6)])).await;
    for _ in 0..9 {
        step(&world, 1).await;
    }
    must_be!(step(&world, 1).await, (0, false));
    for n in 1..=9 {
        must_be!(told(&world, n).await.len(), 1, "peer {n}");
    }
}

/// One step tells as many peers as its limit allows.
pub async fn three_hundred_peers_are_told_in_one_step<H: Harness>(world: World<H>) {
    peers(&world, 300).await;
    world.done(publish(0, 1, 5)).await;
    must_be!(step(&world, 300).await, (300, false));
    for n in [1, 150, 255, 256, 257, 300] {
        must_be!(told(&world, n).await.len(), 1, "peer {n}");
    }
}

/// Opens conversations of user 0 with users 1 to `count`.
async fn peers<H: Harness>(world: &World<H>, count: u64) {
    let openings = (1..=count).map(|n| if n % 2 == 0 { open(n, 0, n) } else { open(n, n, 0) });
    world.commit(openings.collect()).await;
}

async fn step<H: Harness>(world: &World<H>, limit: usize) -> (usize, bool) {
    match world.done(announce(limit, 6)).await {
        Outcome::KeysAnnounced { appended, more } => (appended.len(), more),
        outcome => panic!("another write's outcome: {outcome:?}"),
    }
}

/// The keys that a user was told of.
async fn told<H: Harness>(world: &World<H>, n: u64) -> Vec<KeyRecord> {
    let key = |event| match event {
        Event::Notice(Notice::PeerKeyChanged(record)) => Some(record),
        _ => None,
    };
    world.inbox(&who(n)).await.entries.into_iter().filter_map(|entry| key(entry.event)).collect()
}
