//! Clause 10, one conversation per pair.

use dm_core::store::{Conversation, Store, Write};

use crate::build::{append, conversation, open, user, who};
use crate::outcome;
use crate::{Harness, World};

/// The peer opens it second and gets the existing conversation.
pub async fn the_peer_finds_the_conversation_that_is_open<H: Harness>(world: World<H>) {
    let (first, created) = opened(&world, open(1, 1, 2)).await;
    assert!(created);
    must_be!(opened(&world, open(2, 2, 1)).await, (first, false));
    must_be!(first.id, conversation(1));
}

/// The opener opens it again and gets the existing conversation.
pub async fn opening_again_finds_the_same<H: Harness>(world: World<H>) {
    let (first, _) = opened(&world, open(1, 1, 2)).await;
    for n in 2..5 {
        must_be!(opened(&world, open(n, 1, 2)).await, (first, false));
    }
}

/// The ids in later openings belong to no conversation.
pub async fn only_the_first_id_is_of_a_conversation<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 2, 1)]).await;
    assert!(world.state(1).await.is_some());
    assert!(world.state(2).await.is_none());
    assert!(world.history(user(2), conversation(2)).await.is_none());
    for n in [1, 2] {
        must_be!(world.list(n, None, 10).await.len(), 1);
    }
}

/// An opening that finds the conversation changes neither inbox.
pub async fn both_are_told_of_an_opening_once<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    assert!(world.done(open(2, 2, 1)).await.appended.is_empty());
    for n in [1, 2] {
        must_be!(world.inbox(&who(n)).await.entries.len(), 1);
    }
}

/// One batch opens it from both sides.
pub async fn two_openings_in_one_batch_are_one<H: Harness>(world: World<H>) {
    let outcomes = world.commit(vec![open(1, 2, 1), open(2, 1, 2)]).await;
    for (outcome, is_new) in outcomes.into_iter().zip([true, false]) {
        let (found, created) = outcome::opened(&outcome::done(outcome));
        must_be!((found.id, created), (conversation(1), is_new));
    }
}

/// Fifty concurrent openings from both sides, each with its own id.
pub async fn fifty_openings_at_once_from_both_sides_are_one<H: Harness>(world: World<H>) {
    let open = |n: u64| vec![if n.is_multiple_of(2) { open(n, 1, 2) } else { open(n, 2, 1) }];
    let outcomes = world.at_once((1..=50).map(open)).await;
    let mut found = Vec::new();
    let mut openings = 0;
    for outcome in outcomes.into_iter().flatten() {
        let (conversation, created) = outcome::opened(&outcome::done(outcome));
        found.push(conversation);
        openings += usize::from(created);
    }
    must_be!(openings, 1);
    assert!(found.iter().all(|other| *other == found[0]));
    must_be!(world.inbox(&who(1)).await.entries.len(), 1);
}

/// Another handle, as another process has it, opens it.
pub async fn another_handle_finds_the_conversation<H: Harness>(world: World<H>) {
    let (first, _) = opened(&world, open(1, 1, 2)).await;
    let Some(second) = world.second_handle().await else { return };
    let outcome = second.commit(vec![open(2, 2, 1)]).await.unwrap().remove(0);
    must_be!(outcome::opened(&outcome::done(outcome)), (first, false));
}

/// The pair is durable.
pub async fn a_conversation_is_found_after_reopening<H: Harness>(mut world: World<H>) {
    let (first, _) = opened(&world, open(1, 1, 2)).await;
    world.reopen().await;
    must_be!(opened(&world, open(2, 2, 1)).await, (first, false));
}

/// Another pair of users has another conversation, even with one user in common.
pub async fn other_pairs_have_other_conversations<H: Harness>(world: World<H>) {
    for (n, (one, other)) in (1..).zip([(1, 2), (1, 3), (3, 2), (4, 1)]) {
        let (found, created) = opened(&world, open(n, one, other)).await;
        must_be!((found.id, created), (conversation(n), true));
        assert!(
            found.participants.side(user(one)).is_some() && found.participants.side(user(other)).is_some()
        );
    }
}

/// Both participants may send, whichever of them opened it.
pub async fn both_participants_can_write<H: Harness>(world: World<H>) {
    world.done(open(1, 2, 1)).await;
    world.commit(vec![append(1, 1, 1).into(), append(1, 2, 2).into()]).await;
    must_be!(world.state(1).await.unwrap().head.get(), 2);
}

async fn opened<H: Harness>(world: &World<H>, write: Write) -> (Conversation, bool) {
    outcome::opened(&world.done(write).await)
}
