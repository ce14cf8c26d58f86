//! Clause 14: the movement of the cursor that an acknowledgement causes, as
//! [`Acknowledge`](dm_core::store::Acknowledge) documents it.

use crate::build::{ack_entries, ack_messages, ack_up_to, append, expire, on, open, post, register, who};
use crate::{Harness, World};

/// The missing entry is acknowledged: the cursor moves up to the next missing one.
pub async fn the_cursor_moves_when_a_hole_is_closed<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), register(who(2))]).await;
    world.commit((1..=6).map(|id| append(1, 1, id).into()).collect()).await;
    world.ack(ack_up_to(who(2), 1)).await;
    world.ack(ack_entries(who(2), [3, 4, 6])).await;
    must_be!(world.cursor(&who(2)).await, 1);
    must_be!(world.ack(ack_entries(who(2), [2])).await.cursor.get(), 4);
    must_be!(world.pending(&who(2)).await, [5, 7]);
}

/// A client that acknowledges the entries it receives need not name those that it caused.
pub async fn the_cursor_passes_over_own_entries<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), register(who(2)), ack_up_to(who(2), 1)]).await;
    world
        .commit([1, 2, 2, 1].into_iter().zip(1..).map(|(from, id)| append(1, from, id).into()).collect())
        .await;
    must_be!(world.ack(ack_entries(who(2), [2])).await.cursor.get(), 2);
    must_be!(world.ack(ack_entries(who(2), [5])).await.cursor.get(), 5);
}

/// An entry that another device of the user sent has to be acknowledged.
pub async fn the_cursor_stops_before_entries_of_another_device<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), register(on(2, "desk")), ack_up_to(on(2, "desk"), 1)]).await;
    world.commit(vec![append(1, 2, 1).into(), append(1, 1, 2).into()]).await;
    must_be!(world.ack(ack_entries(on(2, "desk"), [3])).await.cursor.get(), 1);
    must_be!(world.pending(&on(2, "desk")).await, [2]);
}

/// The id of a message cannot name a notice.
pub async fn the_cursor_passes_over_notices_below_a_message<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 3, 2), register(who(2)), append(1, 1, 1).into()]).await;
    must_be!(world.ack(ack_messages(who(2), [1])).await.cursor.get(), 3);
    assert!(world.pending(&who(2)).await.is_empty());
}

/// A notice above every acknowledged entry stays pending.
pub async fn a_notice_above_all_acknowledged_entries_stays_pending<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), register(who(2)), append(1, 1, 1).into()]).await;
    world.done(post(2, 2)).await;
    world.ack(ack_messages(who(2), [1])).await;
    must_be!(world.pending(&who(2)).await, [3]);
}

/// Expired entries cannot be acknowledged one by one.
pub async fn the_cursor_passes_over_expired_entries<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), register(who(2))]).await;
    world.commit((2..=6).map(|id| append(1, 1, id).into()).collect()).await;
    world.done(expire(4, 100)).await;
    must_be!(world.ack(ack_entries(who(2), [4])).await.cursor.get(), 4);
    must_be!(world.pending(&who(2)).await, [5, 6]);
}

/// A cumulative acknowledgement reaches marks above it, and the cursor moves over them.
pub async fn a_cumulative_acknowledgement_reaches_the_marks_above_it<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), register(who(2))]).await;
    world.commit((1..=5).map(|id| append(1, 1, id).into()).collect()).await;
    world.ack(ack_entries(who(2), [4, 6])).await;
    must_be!(world.ack(ack_up_to(who(2), 3)).await.cursor.get(), 4);
    must_be!(world.pending(&who(2)).await, [5]);
}

/// An acknowledgement may name a message that the device itself sent, and counts it.
pub async fn an_own_message_may_be_named<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), register(who(2)), append(1, 2, 1).into()]).await;
    let acknowledged = world.ack(ack_messages(who(2), [1])).await;
    must_be!((acknowledged.cursor.get(), acknowledged.acknowledged, acknowledged.unknown), (2, 1, 0));
}
