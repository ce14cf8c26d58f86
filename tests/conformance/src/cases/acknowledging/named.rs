//! Clause 14: named entries are no longer pending, and all others still are.

use dm_core::store::{Acknowledged, Depth, InboxSeq, Refusal, Store};

use crate::build::{ack_entries, ack_messages, ack_up_to, append, on, open, register, who};
use crate::{Harness, World};

/// A cumulative acknowledgement.
pub async fn everything_up_to_an_entry_is_no_longer_pending<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    must_be!(world.ack(ack_up_to(who(2), 3)).await, done(3, 3, 0));
    must_be!(world.pending(&who(2)).await, [4, 5, 6]);
    must_be!(world.ack(ack_up_to(who(2), 6)).await, done(6, 3, 0));
    assert!(world.pending(&who(2)).await.is_empty());
}

/// An acknowledgement of single entries, with holes between them.
pub async fn only_the_entries_named_are_no_longer_pending<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    world.ack(ack_up_to(who(2), 1)).await;
    must_be!(world.ack(ack_entries(who(2), [3, 5])).await, done(1, 2, 0));
    must_be!(world.pending(&who(2)).await, [2, 4, 6]);
}

/// An acknowledgement of messages by their ids.
pub async fn only_the_messages_named_are_no_longer_pending<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    world.ack(ack_up_to(who(2), 1)).await;
    must_be!(world.ack(ack_messages(who(2), [4, 2])).await, done(1, 2, 0));
    must_be!(world.pending(&who(2)).await, [2, 4, 6]);
}

/// The result is the same for any order and grouping of acknowledgements.
pub async fn the_order_of_acknowledgements_does_not_matter<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    for seq in [6, 2, 4, 1, 5] {
        world.ack(ack_entries(who(2), [seq])).await;
    }
    must_be!(world.pending(&who(2)).await, [3]);
    must_be!(world.ack(ack_entries(who(2), [3])).await, done(6, 1, 0));
    assert!(world.pending(&who(2)).await.is_empty());
}

/// In each of the three forms of an acknowledgement.
pub async fn acknowledging_twice_changes_nothing<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    for write in [ack_up_to(who(2), 2), ack_entries(who(2), [4]), ack_messages(who(2), [5])] {
        let first = world.ack(write.clone()).await;
        let before = world.snapshot().await;
        let second = world.ack(write).await;
        must_be!((second.cursor, second.unknown), (first.cursor, first.unknown));
        must_be!(world.snapshot().await, before);
    }
    must_be!(world.pending(&who(2)).await, [3, 5]);
}

/// A late cumulative acknowledgement undoes nothing.
pub async fn below_the_cursor_an_acknowledgement_changes_nothing<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    world.ack(ack_up_to(who(2), 4)).await;
    let before = world.snapshot().await;
    for low in [0, 2, 4] {
        must_be!(world.ack(ack_up_to(who(2), low)).await, done(4, 0, 0));
    }
    must_be!(world.ack(ack_entries(who(2), [1, 4])).await, done(4, 2, 0));
    must_be!(world.ack(ack_messages(who(2), [1])).await, done(4, 1, 0));
    must_be!(world.snapshot().await, before);
}

/// One above the newest number, and the largest number there is.
pub async fn beyond_the_head_nothing_can_be_acknowledged<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    let head = InboxSeq::new(6);
    for seq in [7, u64::MAX] {
        must_be!(world.refused(ack_up_to(who(2), seq)).await, Refusal::BeyondHead { head });
        must_be!(world.refused(ack_entries(who(2), [2, seq])).await, Refusal::BeyondHead { head });
    }
    must_be!(world.pending(&who(2)).await, [1, 2, 3, 4, 5, 6]);
}

/// Each device has its own cursor and its own marks.
pub async fn another_device_of_the_user_is_not_touched<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    let desk = on(2, "desk");
    world.done(register(desk.clone())).await;
    world.ack(ack_entries(desk.clone(), [5])).await;
    world.ack(ack_up_to(who(2), 3)).await;
    world.ack(ack_messages(who(2), [5])).await;
    must_be!(world.pending(&desk).await, [1, 2, 3, 4, 6]);
    must_be!(world.pending(&who(2)).await, [4, 5]);
}

/// The other participant's state does not change.
pub async fn the_peer_is_not_touched<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    world.done(register(on(1, "desk"))).await;
    world.ack(ack_up_to(who(2), 4)).await;
    world.ack(ack_messages(who(2), [5])).await;
    must_be!(world.pending(&on(1, "desk")).await, [1, 2, 3, 4, 5, 6]);
}

/// A device must be registered before it acknowledges; a user without devices has none to do so.
pub async fn an_unknown_device_acknowledges_nothing<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    for who in [on(2, "ghost"), who(1), who(9)] {
        must_be!(world.refused(ack_up_to(who.clone(), 0)).await, Refusal::UnknownDevice);
        must_be!(world.refused(ack_entries(who.clone(), [1])).await, Refusal::UnknownDevice);
        must_be!(world.refused(ack_messages(who, [1])).await, Refusal::UnknownDevice);
    }
}

/// If both reasons apply, the refusal names the device, also for a user without entries.
pub async fn an_unknown_device_is_refused_before_the_head_is_looked_at<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    for who in [on(2, "ghost"), who(9)] {
        must_be!(world.refused(ack_up_to(who.clone(), 7)).await, Refusal::UnknownDevice);
        must_be!(world.refused(ack_entries(who, [1, u64::MAX])).await, Refusal::UnknownDevice);
    }
}

/// There is no entry zero.
pub async fn entry_zero_is_unknown<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    must_be!(world.ack(ack_entries(who(2), [0, 1])).await, done(1, 1, 1));
}

/// The ids belong to no message.
pub async fn ids_of_no_message_are_unknown<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    world.ack(ack_up_to(who(2), 1)).await;
    must_be!(world.ack(ack_messages(who(2), [70, 3, 71])).await, done(1, 1, 2));
    must_be!(world.pending(&who(2)).await, [2, 3, 5, 6]);
}

/// An acknowledgement with an empty list.
pub async fn naming_nothing_acknowledges_nothing<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    let before = world.snapshot().await;
    must_be!(world.ack(ack_entries(who(2), [])).await, done(0, 0, 0));
    must_be!(world.ack(ack_messages(who(2), [])).await, done(0, 0, 0));
    must_be!(world.snapshot().await, before);
}

/// `depth` counts the entries that `inbox` shows as pending.
pub async fn depth_counts_pending_entries<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    must_be!(world.depth(&who(2)).await, Depth { messages: 5, notices: 1 });
    world.ack(ack_entries(who(2), [1, 4])).await;
    must_be!(world.depth(&who(2)).await, Depth { messages: 4, notices: 0 });
    must_be!(world.depth(&on(2, "ghost")).await, Depth { messages: 5, notices: 1 });
    must_be!(world.depth(&who(9)).await, Depth::default());
}

/// An entry that a device caused is pending for the user's other devices only.
pub async fn own_entries_are_not_pending<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    world.commit(vec![register(who(1)), register(on(1, "desk"))]).await;
    assert!(world.pending(&who(1)).await.is_empty());
    must_be!(world.depth(&who(1)).await, Depth::default());
    must_be!(world.depth(&on(1, "desk")).await, Depth { messages: 5, notices: 1 });
}

/// The cursor and the marks of single entries are durable.
pub async fn acknowledgements_are_there_after_reopening<H: Harness>(mut world: World<H>) {
    five_messages(&world).await;
    world.commit(vec![ack_up_to(who(2), 2), ack_entries(who(2), [4]), ack_messages(who(2), [5])]).await;
    world.reopen().await;
    must_be!(world.pending(&who(2)).await, [3, 5]);
    must_be!(world.ack(ack_entries(who(2), [3])).await, done(4, 1, 0));
}

/// A handle reads the acknowledgements of another handle and respects them.
pub async fn another_handle_sees_acknowledgements<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    let Some(second) = world.second_handle().await else { return };
    second.commit(vec![ack_up_to(who(2), 4)]).await.unwrap();
    must_be!(world.ack(ack_up_to(who(2), 3)).await, done(4, 0, 0));
}

/// Entries 1 to 6 in the inbox of user 2: a notice, and messages 1 to 5 from user 1.
async fn five_messages<H: Harness>(world: &World<H>) {
    world.commit(vec![open(1, 1, 2), register(who(2))]).await;
    world.commit((1..=5).map(|id| append(1, 1, id).into()).collect()).await;
}

const fn done(cursor: u64, acknowledged: u64, unknown: u64) -> Acknowledged {
    Acknowledged { cursor: InboxSeq::new(cursor), acknowledged, unknown }
}
