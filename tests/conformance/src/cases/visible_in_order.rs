//! Clause 9: visible in order.

use dm_core::store::{HistoryQuery, HistoryRange, InboxSeq, ServerSequence, Store, Write};

use crate::build::{append, open, user, who};
use crate::reads::{above, history_of, inbox_after, seqs, sequences};
use crate::{Harness, World};

pub use super::numbers::visible_in_order::*;

/// Four writers in four conversations, all with the reader.
pub async fn a_reader_of_an_inbox_during_commits_sees_no_hole<H: Harness>(world: World<H>) {
    world.commit((1..=4).map(|n| open(n, n, 0)).collect()).await;
    let mut seen = 0;
    let look = async || {
        let page = world.page(inbox_after(who(0), seen, 1_000)).await;
        must_be!(seqs(&page.entries), (seen + 1..=page.through.get()).collect::<Vec<_>>());
        seen = page.through.get();
    };
    world.during((1..=4).map(|n| messages(n, 20)), look).await;
    must_be!(seen, 84);
}

/// Four writers in one conversation.
pub async fn a_reader_of_history_during_commits_sees_no_hole<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let mut seen = 0;
    let look = async || {
        let page = world.messages(history_of(1, 2, above(seen), 1_000)).await;
        let found = sequences(&page.messages);
        must_be!(found, (seen + 1..=seen + found.len() as u64).collect::<Vec<_>>());
        seen += found.len() as u64;
    };
    let writer = |n: u64| (1..=20).map(|id| vec![append(1, 1 + n % 2, n * 100 + id).into()]).collect();
    world.during((1..=4).map(writer), look).await;
    must_be!(seen, 80);
}

/// From the newest downwards, a reader who sees message *n* sees all messages below it.
pub async fn the_newest_page_during_commits_has_no_hole<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let look = async || {
        let query = HistoryQuery { range: HistoryRange::Newest, ..history_of(1, 1, above(0), 1_000) };
        let found = sequences(&world.messages(query).await.messages);
        must_be!(found, (1..=found.len() as u64).rev().collect::<Vec<_>>());
    };
    let writer = |n: u64| (1..=15).map(|id| vec![append(1, 1 + n % 2, n * 100 + id).into()]).collect();
    world.during((1..=3).map(writer), look).await;
}

/// The heads of an inbox and of a conversation only rise.
pub async fn a_head_never_goes_back<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 0)).await;
    let mut last = (InboxSeq::ZERO, ServerSequence::ZERO);
    let look = async || {
        let inbox = world.page(inbox_after(who(0), u64::MAX, 1)).await.head;
        let conversation = world.state(1).await.unwrap().head;
        assert!(inbox >= last.0 && conversation >= last.1, "{inbox} {conversation} after {last:?}");
        last = (inbox, conversation);
    };
    world.during([messages(1, 30)], look).await;
    must_be!((last.0.get(), last.1.get()), (31, 30));
}

/// The reader has its own handle.
pub async fn a_reader_on_another_handle_sees_no_hole<H: Harness>(world: World<H>) {
    world.commit((1..=3).map(|n| open(n, n, 0)).collect()).await;
    let Some(second) = world.second_handle().await else { return };
    let mut seen = 0;
    let look = async || {
        let page = second.inbox(inbox_after(who(0), seen, 1_000)).await.unwrap();
        must_be!(seqs(&page.entries), (seen + 1..=page.through.get()).collect::<Vec<_>>());
        seen = page.through.get();
    };
    world.during((1..=3).map(|n| messages(n, 15)), look).await;
    must_be!(seen, 48);
}

/// Entries are in the order of their numbers, for any times.
pub async fn order_does_not_follow_the_clock<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for time in [500, 3, 900, 1] {
        world.append(append(1, 1, time)).await;
    }
    let times: Vec<_> = world.inbox(&who(2)).await.entries.iter().map(|entry| entry.at.as_millis()).collect();
    must_be!(times, [1, 500, 3, 900, 1]);
    let history = world.history(user(1), crate::build::conversation(1)).await.unwrap();
    must_be!(
        history.messages.iter().map(|m| m.received_at.as_millis()).collect::<Vec<_>>(),
        [500, 3, 900, 1]
    );
}

/// Two writers, with batches as large as the service makes them.
pub async fn a_reader_beside_large_batches_sees_no_hole<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 0), open(2, 2, 0)]).await;
    let mut seen = 0;
    let look = async || {
        let page = world.page(inbox_after(who(0), seen, 10_000)).await;
        must_be!(seqs(&page.entries), (seen + 1..=page.through.get()).collect::<Vec<_>>());
        seen = page.through.get();
    };
    let batch = |n, from| (1..=256).map(|id| append(n, n, from + id).into()).collect();
    world.during([1, 2].map(|n| vec![batch(n, n * 10_000), batch(n, n * 10_000 + 1_000)]), look).await;
    must_be!(seen, 2 + 4 * 256);
}

/// The batches of a writer: one message each, in conversation `n`.
fn messages(n: u64, count: u64) -> Vec<Vec<Write>> {
    (1..=count).map(|id| vec![append(n, n, n * 100 + id).into()]).collect()
}
