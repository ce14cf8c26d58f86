//! Clause 1, atomic: a batch is one transaction.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use dm_core::store::{Store, Write};

use crate::build::{append, conversation, message, open, user, who};
use crate::reads::{inbox_after, seqs};
use crate::{Harness, World};

/// After `Ok` the whole batch is stored.
pub async fn a_batch_is_there_after_reopening<H: Harness>(mut world: World<H>) {
    world.commit(vec![open(1, 1, 2), append(1, 1, 1).into(), append(1, 2, 2).into()]).await;
    world.reopen().await;
    must_be!(world.inbox(&who(1)).await.entries.len(), 3);
}

/// The first write of a batch gets the first numbers.
pub async fn writes_are_applied_in_the_order_given<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    world.commit((1..=64).map(|id| append(1, 1, id).into()).collect()).await;
    let history = world.history(user(2), conversation(1)).await.unwrap();
    let payloads: Vec<_> = history.messages.iter().map(|message| message.ciphertext.payload()).collect();
    let given: Vec<_> = (1..=64).map(|id| id.to_string()).collect();
    must_be!(payloads, given.iter().map(String::as_bytes).collect::<Vec<_>>());
}

/// An empty batch is valid.
pub async fn an_empty_batch_changes_nothing<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), append(1, 1, 1).into()]).await;
    let before = world.snapshot().await;
    assert!(world.commit(Vec::new()).await.is_empty());
    must_be!(world.snapshot().await, before);
}

/// Readers see the messages of batches of eight in multiples of eight.
pub async fn a_reader_never_sees_half_a_batch<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let batches = (0..30).map(|batch| eight(batch * 8)).collect();
    world
        .during([batches], async || {
            let messages = world.inbox(&who(2)).await.entries.len() - 1;
            must_be!(messages % 8, 0, "an inbox with a part of a batch");
            let messages = world.history(user(1), conversation(1)).await.unwrap().messages.len();
            must_be!(messages % 8, 0, "a conversation with a part of a batch");
        })
        .await;
}

/// The future of a commit is dropped after various numbers of polls.
pub async fn a_commit_whose_future_is_dropped_is_not_split<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for polls in 1..=6 {
        dropped_after(polls, world.store().commit(eight(polls * 8))).await;
    }
    // This commit is done after any that is still in progress.
    world.commit(eight(80)).await;
    let page = world.inbox(&who(2)).await;
    must_be!(seqs(&page.entries), (1..=page.head.get()).collect::<Vec<_>>());
    for polls in 1..=6 {
        let batch: Vec<_> = (1..=8).map(|id| message(polls * 8 + id)).collect();
        let there =
            page.entries.iter().filter(|entry| entry.message().is_some_and(|m| batch.contains(&m.id)));
        let there = there.count();
        assert!(there == 0 || there == 8, "{there} of the 8 writes, dropped after {polls} polls");
    }
}

/// Batches as large as the service makes them, and larger.
pub async fn a_large_batch_is_there_after_reopening<H: Harness>(mut world: World<H>) {
    world.done(open(1, 1, 2)).await;
    world.commit(many(0, 600)).await;
    world.reopen().await;
    for n in [1, 2] {
        must_be!(world.inbox(&who(n)).await.entries.len(), 601);
    }
}

/// The first of hundreds of writes gets the first number.
pub async fn the_writes_of_a_large_batch_are_applied_in_the_order_given<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    world.commit(many(0, 600)).await;
    let history = world.history(user(2), conversation(1)).await.unwrap();
    let ids: Vec<_> = history.messages.iter().map(|message| message.id).collect();
    must_be!(ids, (1..=600).map(message).collect::<Vec<_>>());
}

/// Readers see the messages of batches of 300 in multiples of 300.
pub async fn a_reader_never_sees_half_of_a_large_batch<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let batches = (0..4).map(|batch| many(batch * 300, 300)).collect();
    world
        .during([batches], async || {
            must_be!(world.state(1).await.unwrap().head.get() % 300, 0, "a conversation's head");
            let page = world.page(inbox_after(who(2), u64::MAX, 1)).await;
            must_be!((page.head.get() - 1) % 300, 0, "an inbox's head");
            must_be!((world.inbox(&who(2)).await.entries.len() - 1) % 300, 0, "the entries of an inbox");
        })
        .await;
}

/// As [`a_commit_whose_future_is_dropped_is_not_split`], with hundreds of writes.
pub async fn a_large_commit_whose_future_is_dropped_is_not_split<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for polls in 1..=4 {
        dropped_after(polls, world.store().commit(many(polls * 300, 300))).await;
    }
    // This commit is done after any that is still in progress.
    world.commit(many(3_000, 300)).await;
    let page = world.inbox(&who(2)).await;
    must_be!((page.entries.len() - 1) % 300, 0, "the entries of an inbox");
    must_be!(seqs(&page.entries), (1..=page.head.get()).collect::<Vec<_>>());
}

/// Polls a future so many times and drops it.
pub(super) async fn dropped_after(polls: u64, future: impl Future) {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(|context| {
        left -= 1;
        if future.as_mut().poll(context).is_ready() || left == 0 {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn many(from: u64, count: u64) -> Vec<Write> {
    (1..=count).map(|id| append(1, 1, from + id).into()).collect()
}

fn eight(from: u64) -> Vec<Write> {
    many(from, 8)
}
