//! Clause 26, consistent: one read answers from one state.

use dm_core::store::{Depth, InboxSeq, Store, Write};

use crate::build::{ack_up_to, append, conversation, expire, forget, on, open, publish, register, user, who};
use crate::reads::{inbox_after, seqs};
use crate::{Harness, World};

/// Every read that includes a message shows it as soon as its commit has returned.
pub async fn a_message_is_read_as_soon_as_its_commit_returns<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for id in 1..=20 {
        world.append(append(1, 1, id)).await;
        must_be!(world.inbox(&who(2)).await.entries.len() as u64, id + 1);
        must_be!(world.history(user(2), conversation(1)).await.unwrap().messages.len() as u64, id);
        must_be!(world.state(1).await.unwrap().head.get(), id);
        must_be!(world.list(2, None, 1).await[0].head.get(), id);
        must_be!(world.depth(&who(2)).await.messages, id);
        must_be!(world.heads([1, 2]).await, [id + 1, id + 1]);
    }
}

/// The same for every other kind of read.
pub async fn every_read_is_as_new_as_the_last_commit<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for n in 1..=10_u8 {
        let device = on(2, &n.to_string());
        world.commit(vec![publish(2, n, 1), register(device.clone()), append(1, 1, n.into()).into()]).await;
        must_be!(world.key(2).await.unwrap().version.get(), u32::from(n));
        must_be!(world.devices(2).await.len(), usize::from(n).min(8));
        if n <= 8 {
            world.done(ack_up_to(device.clone(), u64::from(n) + 1)).await;
            must_be!(world.cursor(&device).await, u64::from(n) + 1);
            assert!(world.pending(&device).await.is_empty());
        }
    }
}

/// Many concurrent readers, on tasks that have not read before.
pub async fn every_reader_is_as_new_as_the_last_commit<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for id in 1..=10 {
        world.append(append(1, 1, id)).await;
        let readers: Vec<_> = (0..8)
            .map(|_| {
                let store = world.store();
                tokio::spawn(async move { store.inbox(inbox_after(who(2), 0, 100)).await.unwrap().head })
            })
            .collect();
        for reader in readers {
            must_be!(reader.await.unwrap(), InboxSeq::new(id + 1));
        }
    }
}

/// Entries, head, floor and `through` are from one state while entries are appended and expire.
pub async fn the_parts_of_a_page_fit_together<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let appends = (2..=40).map(|id| vec![append(1, 1, id).into()]).collect();
    let steps = (2..=40).map(|time| vec![expire(time, 3)]).collect();
    let look = async || {
        let page = world.page(inbox_after(who(2), 0, 1_000)).await;
        let held = page.floor.get() + 1..=page.head.get();
        must_be!(seqs(&page.entries), held.collect::<Vec<_>>());
        must_be!(page.through, page.head);
    };
    world.during([appends, steps], look).await;
}

/// Each batch appends a message to both conversations: a list shows them with equal heads.
pub async fn the_conversations_of_a_list_are_from_one_state<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 0), open(2, 2, 0)]).await;
    let both =
        (1..=30).map(|id| vec![append(1, 0, id * 2).into(), append(2, 0, id * 2 + 1).into()]).collect();
    let look = async || {
        let list = world.list(0, None, 10).await;
        must_be!((list.len(), list[0].head), (2, list[1].head));
    };
    world.during([both], look).await;
}

/// The same while batches of 300 writes change the list.
pub async fn the_conversations_of_a_list_beside_large_batches_are_from_one_state<H: Harness>(
    world: World<H>,
) {
    world.commit(vec![open(1, 1, 0), open(2, 2, 0)]).await;
    let batch = |from| (1..=300).map(move |id| append(1 + id % 2, 0, from + id).into()).collect();
    let look = async || {
        let list = world.list(0, None, 10).await;
        must_be!((list.len(), list[0].head), (2, list[1].head));
    };
    world.during([(0..4).map(|n| batch(n * 300)).collect()], look).await;
}

/// Each batch forgets one of two devices, registers it again, and moves both cursors to its
/// message.
pub async fn the_devices_of_a_user_are_from_one_state<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), register(on(2, "a")), register(on(2, "b"))]).await;
    let batch = |id: u64| {
        let other = on(2, if id.is_multiple_of(2) { "a" } else { "b" });
        let acks = ["a", "b"].map(|name| ack_up_to(on(2, name), id + 1));
        [append(1, 1, id).into(), forget(other.clone()), register(other)].into_iter().chain(acks).collect()
    };
    let look = async || {
        let devices = world.devices(2).await;
        must_be!(devices.len(), 2);
        must_be!(devices[0].cursor, devices[1].cursor);
    };
    world.during([(1..=30).map(batch).collect::<Vec<Vec<Write>>>()], look).await;
}

/// Each batch appends two messages and acknowledges two, so the number of pending entries stays the
/// same.
pub async fn the_depth_of_a_device_is_from_one_state<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), register(who(2)), append(1, 1, 1).into(), append(1, 1, 2).into()]).await;
    world.done(ack_up_to(who(2), 1)).await;
    let batch = |n: u64| {
        let messages = [2 * n + 1, 2 * n + 2].map(|id| append(1, 1, id).into());
        messages.into_iter().chain([ack_up_to(who(2), 2 * n + 1)]).collect()
    };
    let look = async || must_be!(world.depth(&who(2)).await, Depth { messages: 2, notices: 0 });
    world.during([(1..=30).map(batch).collect::<Vec<Vec<Write>>>()], look).await;
}
