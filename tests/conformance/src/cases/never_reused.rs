//! Clause 8, never reused: numbers go on after deletion, expiry and reopening.

use dm_core::store::{InboxSeq, Store};

use crate::build::{ack_up_to, append, expire, forget, open, register, who};
use crate::reads::seqs;
use crate::{Harness, World};

pub use super::numbers::never_reused::*;

/// The oldest entries expired.
pub async fn numbers_go_on_above_expired_entries<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    world.done(expire(4, 100)).await;
    must_be!(world.append(append(1, 1, 6)).await.sender_seq.get(), 7);
    must_be!(seqs(&world.inbox(&who(2)).await.entries), [5, 6, 7]);
}

/// All entries of the inbox expired.
pub async fn numbers_go_on_after_everything_expired<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    world.done(expire(100, 100)).await;
    must_be!(world.inbox(&who(2)).await.head, InboxSeq::new(6));
    let next = world.append(append(1, 1, 6)).await;
    must_be!((next.sender_seq.get(), next.message.sequence.get()), (7, 6));
}

/// All entries expired, and the store was reopened.
pub async fn numbers_go_on_after_everything_expired_and_a_reopening<H: Harness>(mut world: World<H>) {
    five_messages(&world).await;
    world.done(expire(100, 100)).await;
    world.reopen().await;
    must_be!(world.inbox(&who(2)).await.head, InboxSeq::new(6));
    let next = world.append(append(1, 1, 6)).await;
    must_be!((next.sender_seq.get(), next.message.sequence.get()), (7, 6));
}

/// All entries are held, and the store was reopened.
pub async fn numbers_go_on_after_reopening<H: Harness>(mut world: World<H>) {
    five_messages(&world).await;
    world.reopen().await;
    let next = world.append(append(1, 2, 6)).await;
    must_be!((next.sender_seq.get(), next.message.sequence.get()), (7, 6));
}

/// All entries were acknowledged, and the only device was forgotten.
pub async fn numbers_go_on_after_everything_was_acknowledged<H: Harness>(mut world: World<H>) {
    five_messages(&world).await;
    world.commit(vec![register(who(2)), ack_up_to(who(2), 6), forget(who(2)), expire(100, 100)]).await;
    world.reopen().await;
    world.append(append(1, 1, 6)).await;
    must_be!(seqs(&world.inbox(&who(2)).await.entries), [7]);
}

/// All entries expired and the only device was forgotten; the user's numbers go on.
pub async fn numbers_go_on_after_everything_expired_and_the_last_device_was_forgotten<H: Harness>(
    world: World<H>,
) {
    five_messages(&world).await;
    forgotten(&world).await;
    must_be!(world.inbox(&who(2)).await.head, InboxSeq::new(6));
    world.append(append(1, 1, 6)).await;
    must_be!(seqs(&world.inbox(&who(2)).await.entries), [7]);
}

/// The same after the store was reopened.
pub async fn numbers_of_a_forgotten_user_go_on_after_reopening<H: Harness>(mut world: World<H>) {
    five_messages(&world).await;
    forgotten(&world).await;
    world.reopen().await;
    must_be!(world.inbox(&who(2)).await.head, InboxSeq::new(6));
    world.append(append(1, 1, 6)).await;
    must_be!(seqs(&world.inbox(&who(2)).await.entries), [7]);
}

/// User 2 has one device. All entries expire, and then the device is forgotten.
async fn forgotten<H: Harness>(world: &World<H>) {
    world.done(register(who(2))).await;
    world.done(expire(100, 100)).await;
    world.done(forget(who(2))).await;
}

/// Two handles commit by turns, so that each has not seen the numbers of the other.
pub async fn handles_in_turn_give_no_number_twice<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let Some(second) = world.second_handle().await else { return };
    for id in 1..=6 {
        let batch = vec![append(1, 1, id).into()];
        if id % 2 == 0 { second.commit(batch).await } else { world.store().commit(batch).await }.unwrap();
    }
    must_be!(seqs(&world.inbox(&who(2)).await.entries), (1..=7).collect::<Vec<_>>());
}

/// One handle expires entries that the other appended.
pub async fn a_handle_sees_the_expiry_of_another<H: Harness>(world: World<H>) {
    five_messages(&world).await;
    let Some(second) = world.second_handle().await else { return };
    second.commit(vec![expire(100, 100)]).await.unwrap();
    must_be!(world.append(append(1, 1, 6)).await.sender_seq.get(), 7);
}

/// Entries 1 to 6 in both inboxes, at times 1, 1, 2, 3, 4, 5.
async fn five_messages<H: Harness>(world: &World<H>) {
    world.done(open(1, 1, 2)).await;
    world.commit((1..=5).map(|id| append(1, 1, id).into()).collect()).await;
}
