//! Clause 7, dense: numbers start at 1 and have no holes.

use dm_core::store::{InboxSeq, ServerSequence};

use crate::build::{append, append_as, conversation, naming, open, publish, user, who};
use crate::reads::{above, history_of, inbox_after, seqs, sequences};
use crate::{Harness, World};

pub use super::numbers::dense::*;

/// The messages of a conversation are numbered 1, 2, 3 …
pub async fn a_conversation_is_numbered_from_one<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    must_be!(world.state(1).await.unwrap().head, ServerSequence::ZERO);
    for id in 1..=10 {
        must_be!(world.append(append(1, 1 + id % 2, id)).await.message.sequence.get(), id);
    }
    must_be!(world.state(1).await.unwrap().head, ServerSequence::new(10));
}

/// The entries of an inbox are numbered 1, 2, 3 …
pub async fn an_inbox_is_numbered_from_one<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for id in 1..=10 {
        must_be!(world.append(append(1, 1, id)).await.sender_seq.get(), id + 1);
    }
    must_be!(seqs(&world.inbox(&who(2)).await.entries), (1..=11).collect::<Vec<_>>());
}

/// The user has never had an entry.
pub async fn an_empty_inbox_has_zero_as_its_head<H: Harness>(world: World<H>) {
    let page = world.page(inbox_after(who(1), 0, 10)).await;
    assert!(page.entries.is_empty());
    must_be!((page.head, page.floor, page.through), (InboxSeq::ZERO, InboxSeq::ZERO, InboxSeq::ZERO));
}

/// A batch of 64 messages.
pub async fn a_batch_is_numbered_without_holes<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    world.commit((1..=64).map(|id| append(1, 1, id).into()).collect()).await;
    let history = world.history(user(1), conversation(1)).await.unwrap();
    must_be!(sequences(&history.messages), (1..=64).collect::<Vec<_>>());
    must_be!(seqs(&world.inbox(&who(1)).await.entries), (1..=65).collect::<Vec<_>>());
}

/// An append that is refused, for each possible reason.
pub async fn a_refused_append_takes_no_number<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), publish(2, 1, 1), append_as(1, 1, 1, 1).into()]).await;
    world.refused(naming(append(1, 1, 2), 2)).await;
    world.refused(append_as(1, 1, 3, 1).into()).await;
    world.refused(append(1, 3, 4).into()).await;
    let next = world.append(append(1, 1, 5)).await;
    must_be!((next.message.sequence.get(), next.sender_seq.get()), (2, 3));
}

/// A retry takes no number in the conversation and none in an inbox.
pub async fn a_repeat_takes_no_number<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for _ in 0..3 {
        world.append(append_as(1, 1, 1, 1)).await;
    }
    let next = world.append(append(1, 2, 2)).await;
    must_be!((next.message.sequence.get(), next.sender_seq.get()), (2, 3));
}

/// An opening that finds the conversation appends no entry.
pub async fn finding_an_open_conversation_takes_no_number<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 2, 1), open(3, 1, 2)]).await;
    must_be!(world.append(append(1, 1, 1)).await.sender_seq.get(), 2);
}

/// Each conversation has its own numbers.
pub async fn conversations_are_numbered_apart<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 1, 3)]).await;
    for id in 1..=5 {
        world.commit(vec![append(1, 1, id * 2).into(), append(2, 3, id * 2 + 1).into()]).await;
        for n in [1, 2] {
            let page = world.messages(history_of(n, 1, above(id - 1), 2)).await;
            must_be!(sequences(&page.messages), [id]);
        }
    }
}

/// Each user has their own numbers.
pub async fn inboxes_are_numbered_apart<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 1, 3)]).await;
    world.commit(vec![append(1, 1, 1).into(), append(2, 1, 2).into(), append(2, 1, 3).into()]).await;
    let heads =
        [world.inbox(&who(1)).await.head, world.inbox(&who(2)).await.head, world.inbox(&who(3)).await.head];
    must_be!(heads.map(InboxSeq::get), [5, 2, 3]);
}
