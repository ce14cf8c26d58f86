//! Clause 14 with hundreds of entries.

use dm_core::store::Depth;

use crate::build::{ack_entries, ack_messages, ack_up_to, append, open, register, who};
use crate::{Harness, World};

/// Every second of 600 entries is acknowledged, one by one: the store remembers each.
pub async fn three_hundred_entries_with_holes_are_acknowledged<H: Harness>(world: World<H>) {
    every_second_of_600(&world).await;
    these_are_pending(&world).await;
    // The missing entry is acknowledged, and the cursor moves to the next missing one.
    must_be!(world.ack(ack_entries(who(2), [2])).await.cursor.get(), 3);
    must_be!(world.ack(ack_entries(who(2), (4..=600).step_by(2))).await.cursor.get(), 601);
    must_be!(world.pending(&who(2)).await, []);
}

/// The 300 marks are durable.
pub async fn three_hundred_entries_with_holes_are_acknowledged_after_reopening<H: Harness>(
    mut world: World<H>,
) {
    every_second_of_600(&world).await;
    world.reopen().await;
    these_are_pending(&world).await;
    must_be!(world.ack(ack_entries(who(2), [2])).await.cursor.get(), 3);
}

/// One acknowledgement names them by their ids.
pub async fn a_thousand_messages_are_named_at_once<H: Harness>(world: World<H>) {
    messages(&world, 1_000).await;
    let done = world.ack(ack_messages(who(2), 1..=1_000)).await;
    must_be!((done.cursor.get(), done.acknowledged, done.unknown), (1_001, 1_000, 0));
    must_be!(world.pending(&who(2)).await, []);
}

/// Acknowledges entries 1, 3, 5 … 601 of user 2.
async fn every_second_of_600<H: Harness>(world: &World<H>) {
    messages(world, 600).await;
    world.done(ack_up_to(who(2), 1)).await;
    must_be!(world.ack(ack_entries(who(2), (3..=601).step_by(2))).await.acknowledged, 300);
}

async fn these_are_pending<H: Harness>(world: &World<H>) {
    must_be!(world.pending(&who(2)).await, (2..=600).step_by(2).collect::<Vec<_>>());
    must_be!(world.depth(&who(2)).await, Depth { messages: 300, notices: 0 });
    must_be!(world.cursor(&who(2)).await, 1);
}

/// Puts a notice and so many messages from user 1 into the inbox of user 2.
async fn messages<H: Harness>(world: &World<H>, count: u64) {
    world.commit(vec![open(1, 1, 2), register(who(2))]).await;
    world.commit((1..=count).map(|id| append(1, 1, id).into()).collect()).await;
}
