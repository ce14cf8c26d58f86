//! Clause 8, never reused: sender numbers, revisions and registrations.

use std::sync::Arc;

use dm_core::store::{Change, Store as _};

use crate::build::{append, expire, forget, on, open, register, who};
use crate::outcome::{done, registered, sent};
use crate::records::{numbers, only, put, revision_of, shared, take, under};
use crate::{Harness, World};

/// The newest device, and all devices, are forgotten.
pub async fn registrations_go_on_after_devices_were_forgotten<H: Harness>(world: World<H>) {
    for number in 1..=3 {
        must_be!(registered(&world.done(register(on(1, "a"))).await).registration.get(), number);
        world.done(forget(on(1, "a"))).await;
    }
    world.commit(vec![register(on(1, "a")), register(on(1, "b")), forget(on(1, "b"))]).await;
    must_be!(registered(&world.done(register(on(1, "c"))).await).registration.get(), 6);
}

/// Also for a user without any device.
pub async fn registrations_go_on_after_reopening<H: Harness>(mut world: World<H>) {
    for number in [1, 2, 3] {
        must_be!(registered(&world.done(register(who(1))).await).registration.get(), number);
        must_be!(registered(&world.done(register(on(2, "x"))).await).registration.get(), 1);
        world.done(forget(who(1))).await;
        world.reopen().await;
    }
}

/// All entries expired, and the store was opened again.
pub async fn numbers_of_senders_go_on_after_expiry_and_reopening<H: Harness>(mut world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for number in 1..=3 {
        for from in [1, 2] {
            let sent = world.append(append(1, from, number * 10 + from)).await;
            must_be!(sent.message.sender_sequence.get(), number);
        }
        world.expire(expire(1_000, 100)).await;
        world.reopen().await;
    }
}

/// The record with the newest number, and all records, are removed.
pub async fn revisions_go_on_after_records_were_removed<H: Harness>(world: World<H>) {
    let mut expected = 0;
    for n in 0..3 {
        for removal in
            [Change::Delete(shared(1, "a")), take(shared(1, "")), Change::Clear(under(shared(1, "")))]
        {
            for (value, taken) in [("v", 2), ("", 1)] {
                let tag = expected * 10 + n;
                let done = world.done(only(put(shared(1, "a"), value, tag))).await;
                must_be!(revision_of(&done.revisions, 1), Some(expected + 1));
                world.done(only(removal.clone())).await;
                expected += taken;
                must_be!(numbers(world.since(1, 0).await.revisions).0, expected);
            }
        }
    }
}

/// A user without any synced record, after the last handle was dropped.
pub async fn revisions_go_on_after_a_removal_and_reopening<H: Harness>(mut world: World<H>) {
    for (value, number) in [("", 1), ("v", 2), ("", 4), ("", 5)] {
        let done = world.done(only(put(shared(1, "a"), value, number))).await;
        must_be!(revision_of(&done.revisions, 1), Some(number));
        world.done(only(Change::Delete(shared(1, "a")))).await;
        world.reopen().await;
    }
}

/// Two handles in turn register devices, put records and send.
pub async fn handles_in_turn_give_no_new_number_twice<H: Harness>(world: World<H>) {
    let Some(second) = world.second_handle().await.map(Arc::new) else { return };
    world.done(open(1, 1, 2)).await;
    for n in 1..=8 {
        let batch = vec![
            forget(on(1, "a")),
            register(on(1, "a")),
            only(put(shared(1, "a"), "v", n)),
            append(1, 1, n).into(),
        ];
        let outcomes =
            if n % 2 == 0 { second.commit(batch).await.unwrap() } else { world.commit(batch).await };
        let [_, device, record, message] = <[_; 4]>::try_from(outcomes).expect("four outcomes");
        must_be!(registered(&done(device)).registration.get(), n);
        must_be!(revision_of(&done(record).revisions, 1), Some(n));
        must_be!(sent(message).message.sender_sequence.get(), n);
    }
}
