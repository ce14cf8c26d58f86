//! Clause 6, concurrent: commits that run at the same time.

use std::sync::Arc;

use dm_core::store::{DeviceStart, Expect, InboxSeq, Outcome, Owner, RecordKey, Write};

use crate::build::{
    ack_entries, ack_up_to, append, conversation, expire, on, open, publish, register, register_from, user,
    who,
};
use crate::reads::{seqs, sequences};
use crate::records::{about, all, of_the_store, posted, put, shared};
use crate::{Harness, World};

/// Fifty commits to one conversation.
pub async fn fifty_tasks_lose_nothing_in_one_conversation<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    world.at_once((1..=50).map(|id| vec![append(1, 1 + id % 2, id).into()])).await;
    let history = world.history(user(1), conversation(1)).await.unwrap();
    must_be!(sequences(&history.messages), (1..=50).collect::<Vec<_>>());
    each_message_once(&world, 2, 50).await;
    each_message_once(&world, 1, 50).await;
}

/// Twenty conversations with one common user, whose inbox gets all messages.
pub async fn conversations_with_a_common_user_lose_nothing<H: Harness>(world: World<H>) {
    world.commit((1..=20).map(|n| open(n, n, 0)).collect()).await;
    world.at_once((1..=40).map(|id| vec![append(1 + id % 20, 1 + id % 20, id).into()])).await;
    each_message_once(&world, 0, 40).await;
    must_be!(seqs(&world.inbox(&who(0)).await.entries), (1..=60).collect::<Vec<_>>());
}

/// The batches change the same users in opposite orders.
pub async fn batches_in_opposite_orders_do_not_block_each_other<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 3, 4)]).await;
    let batch = |task: u64| {
        let id = task * 10;
        let (one, other): (Write, Write) = (append(1, 1, id).into(), append(2, 3, id + 1).into());
        if task.is_multiple_of(2) { vec![one, other] } else { vec![other, one] }
    };
    world.at_once((1..=20).map(batch)).await;
    each_message_once(&world, 2, 20).await;
    each_message_once(&world, 4, 20).await;
}

/// Each write changes records and inboxes of two users, a conversation and the store, and half of
/// the writes name them in the opposite order.
pub async fn owners_in_opposite_orders_do_not_block_each_other<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let write = |task: u64| {
        let put = |key| put(key, task.to_string(), task);
        let mut write =
            all([put(shared(1, "a")), put(about(1, "a")), put(of_the_store("a")), put(shared(2, "a"))]);
        write = write.post(posted(1, task)).post(posted(2, task));
        if task.is_multiple_of(2) {
            write.changes.reverse();
            write.posts.reverse();
        }
        write
    };
    let sends = (1..=20).map(|id| vec![write(20 + id), append(1, 1 + id % 2, id).into()]);
    let outcomes = world.at_once((1..=20).map(|task| vec![write(task)]).chain(sends)).await;
    assert!(outcomes.iter().flatten().all(|outcome| matches!(outcome, Outcome::Done(_))), "{outcomes:?}");
    for n in [1, 2] {
        must_be!(world.since(n, 0).await.revisions.head.get(), 40);
        must_be!(seqs(&world.inbox(&who(n)).await.entries), (1..=61).collect::<Vec<_>>());
    }
}

/// Each task acknowledges one entry.
pub async fn acknowledgements_at_once_all_count<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), register(who(2)), register(on(2, "desk"))]).await;
    world.commit((1..=20).map(|id| append(1, 1, id).into()).collect()).await;
    world.at_once((1..=21).map(|seq| vec![ack_entries(who(2), [seq])])).await;
    must_be!(world.cursor(&who(2)).await, 21);
    must_be!(world.pending(&on(2, "desk")).await.len(), 21);
}

/// The cursor is the highest of all that were set.
pub async fn cumulative_acknowledgements_at_once_keep_the_highest<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), register(who(2))]).await;
    world.commit((1..=20).map(|id| append(1, 1, id).into()).collect()).await;
    world.at_once((1..=20).map(|seq| vec![ack_up_to(who(2), 1 + (seq * 7) % 20)])).await;
    must_be!(world.cursor(&who(2)).await, 20);
}

/// Twenty devices, with a limit of three.
pub async fn registrations_at_once_stay_within_the_limit<H: Harness>(world: World<H>) {
    let register = |n: u64| vec![register_from(on(1, &format!("d{n}")), DeviceStart::Oldest, 3)];
    let outcomes = world.at_once((1..=20).map(register)).await;
    let registered = |outcome: &&Outcome| matches!(outcome, Outcome::Done(_));
    must_be!(outcomes.iter().flatten().filter(registered).count(), 3);
    must_be!(world.devices(1).await.len(), 3);
}

/// Twenty writes put the same record if it does not exist: the first one puts it.
pub async fn of_conditional_puts_at_once_one_is_done<H: Harness>(world: World<H>) {
    let absent = || Expect::Absent(RecordKey::fence(Owner::User(user(1))));
    let outcomes = world.at_once((1..=20).map(|n| vec![publish(1, n, 1).expect(absent())])).await;
    let done: Vec<_> = outcomes.iter().map(|outcomes| matches!(outcomes[0], Outcome::Done(_))).collect();
    must_be!(done.iter().filter(|is_done| **is_done).count(), 1);
    let version = world.key(1).await.unwrap().version.get();
    must_be!(done.iter().position(|is_done| *is_done), Some(version as usize - 1));
}

/// Old entries of an inbox are removed while new ones are appended.
pub async fn expiry_beside_appends_removes_only_old_entries<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    world.commit((2..=20).map(|id| append(1, 1, id).into()).collect()).await;
    let appends = (21..=40).map(|id| vec![append(1, 1, id).into()]);
    let steps = (1..=20).map(|_| vec![expire(21, 5)]);
    world.at_once(appends.chain(steps)).await;
    world.done(expire(21, 100)).await;
    let page = world.inbox(&who(2)).await;
    must_be!((page.floor, page.head), (InboxSeq::new(20), InboxSeq::new(40)));
    must_be!(seqs(&page.entries), (21..=40).collect::<Vec<_>>());
}

/// Two handles, as two processes have them, commit at the same time.
pub async fn two_handles_lose_nothing<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let Some(second) = world.second_handle().await.map(Arc::new) else { return };
    let batches = |first: u64| (1..=20).map(|id| vec![append(1, 1, first + id).into()]).collect();
    world.in_step([(world.store(), batches(0)), (second, batches(20))]).await;
    each_message_once(&world, 2, 40).await;
    let history = world.history(user(2), conversation(1)).await.unwrap();
    must_be!(sequences(&history.messages), (1..=40).collect::<Vec<_>>());
}

/// Four commits of 300 writes, to two conversations with a common user.
pub async fn large_batches_at_once_lose_nothing<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 0), open(2, 2, 0)]).await;
    let batch = |task: u64| {
        let n = 1 + task % 2;
        (1..=300).map(|id| append(n, n, task * 1_000 + id).into()).collect()
    };
    world.at_once((0..4).map(batch)).await;
    each_message_once(&world, 0, 1_200).await;
    each_message_once(&world, 1, 600).await;
}

async fn each_message_once<H: Harness>(world: &World<H>, n: u64, messages: usize) {
    let entries = world.inbox(&who(n)).await.entries;
    must_be!(seqs(&entries), (1..=entries.len() as u64).collect::<Vec<_>>());
    let mut ids: Vec<_> = entries.iter().filter_map(|entry| Some(entry.message()?.id)).collect();
    ids.sort_unstable();
    ids.dedup();
    must_be!(ids.len(), messages);
}
