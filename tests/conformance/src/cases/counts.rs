//! Clause 13, counts: what each side has sent and seen.

use std::sync::Arc;

use dm_core::store::{AppendMessage, ConversationOrder, ConversationsQuery, Counts, SenderSequence};

use crate::build::{append, append_as, ciphertext, conversation, naming, open, user};
use crate::reads::{above, history_of};
use crate::records::{opened_order, size};
use crate::{Harness, World};

/// A message whose payload has `len` bytes.
fn sized(n: u64, from: u64, id: u64, len: usize) -> AppendMessage {
    AppendMessage { ciphertext: ciphertext(vec![1; len]), ..append(n, from, id) }
}

/// Compares the counts of a conversation, in every read, with its messages.
async fn counts_fit_the_messages<H: Harness>(world: &World<H>, n: u64) -> Counts {
    let state = world.state(n).await.unwrap();
    let participants = state.conversation.participants;
    let reader = if participants.a() == user(1) || participants.b() == user(1) { 1 } else { 3 };
    let messages = world.messages(history_of(n, reader, above(0), 10_000)).await.messages;
    let mut counts = Counts::default();
    for message in messages {
        let side = participants.side(message.sender).unwrap();
        counts = counts.after_message(side, message.ciphertext.len() as u64);
        must_be!(message.sender_sequence, counts.side(side).sent, "message {}", message.sequence);
    }
    must_be!(state.counts, counts, "the counts of conversation {n}");
    let active = ConversationsQuery {
        order: ConversationOrder::Active { after: None },
        ..opened_order(reader, None, Vec::new(), 100)
    };
    for query in [active, opened_order(reader, None, Vec::new(), 100)] {
        let listed = world.listed(query).await;
        let found = listed.iter().find(|listed| listed.state.conversation.id == conversation(n));
        must_be!(found.unwrap().state, state, "the conversation in a list");
    }
    counts
}

/// Both users send, in two conversations, of which one has its users in the other order.
pub async fn counts_are_those_of_the_newest_message<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 4, 3)]).await;
    must_be!(counts_fit_the_messages(&world, 1).await, Counts::default());
    for (id, (n, from, len)) in (1..).zip([
        (1, 1, 3),
        (1, 1, 70),
        (2, 4, 1),
        (1, 2, 500),
        (1, 2, 1),
        (2, 3, 9),
        (2, 4, 8),
        (1, 1, 2_000),
        (2, 4, 65_536),
    ]) {
        world.append(sized(n, from, id, len)).await;
        counts_fit_the_messages(&world, n).await;
    }
    must_be!(counts_fit_the_messages(&world, 1).await.total(), 5);
}

/// Each message of a batch counts on those before it.
pub async fn counts_go_on_within_a_batch<H: Harness>(world: World<H>) {
    let mut batch = vec![open(1, 2, 1)];
    batch.extend((1..=40).map(|id| sized(1, 1 + id * id % 3 % 2, id, size(id)).into()));
    world.commit(batch).await;
    must_be!(counts_fit_the_messages(&world, 1).await.total(), 40);
}

/// A refused send and a repeat count nothing.
pub async fn only_stored_messages_count<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), append_as(1, 1, 1, 1).into(), append_as(1, 2, 2, 2).into()]).await;
    let before = counts_fit_the_messages(&world, 1).await;
    world.append(append_as(1, 1, 1, 1)).await;
    world.refused(append_as(1, 1, 3, 1).into()).await;
    world.refused(append(1, 3, 4).into()).await;
    world.refused(naming(append(1, 1, 5), 1)).await;
    must_be!(counts_fit_the_messages(&world, 1).await, before);
    must_be!(world.append(append(1, 1, 6)).await.message.sender_sequence, SenderSequence::new(2));
    counts_fit_the_messages(&world, 1).await;
}

/// Twenty tasks of each user.
pub async fn sends_of_both_users_at_once_all_count<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 1, 3)]).await;
    let batch = |id: u64| vec![sized(1, 1 + id % 2, id, size(id)).into(), append(2, 1, 100 + id).into()];
    world.at_once((1..=40).map(batch)).await;
    let counts = counts_fit_the_messages(&world, 1).await;
    must_be!((counts.a.sent.get(), counts.b.sent.get()), (20, 20));
    must_be!(counts_fit_the_messages(&world, 2).await.total(), 40);
}

/// Each user sends through a handle of their own, in turn and at the same time.
pub async fn counts_go_on_across_handles<H: Harness>(world: World<H>) {
    let Some(second) = world.second_handle().await.map(Arc::new) else { return };
    world.done(open(1, 1, 2)).await;
    let batches =
        |from: u64| (1..=15).map(|n| vec![sized(1, from, from * 100 + n, size(n)).into()]).collect();
    world.in_step([(world.store(), batches(1)), (second, batches(2))]).await;
    let counts = counts_fit_the_messages(&world, 1).await;
    must_be!((counts.a.sent.get(), counts.b.sent.get()), (15, 15));
}

/// The counts of conversations with and without messages.
pub async fn counts_are_there_after_reopening<H: Harness>(mut world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 1, 3)]).await;
    world.commit((1..=9).map(|id| sized(1, 1 + id % 2, id, 100).into()).collect()).await;
    world.reopen().await;
    must_be!(counts_fit_the_messages(&world, 1).await.total(), 9);
    must_be!(counts_fit_the_messages(&world, 2).await.total(), 0);
    world.commit(vec![append(1, 2, 20).into(), append(2, 3, 21).into()]).await;
    must_be!(counts_fit_the_messages(&world, 1).await.total(), 10);
    must_be!(counts_fit_the_messages(&world, 2).await.total(), 1);
}

/// A side has seen what the other had sent when it last sent: the rest is unread.
pub async fn unread_messages_are_those_after_the_last_send<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let participants = world.state(1).await.unwrap().conversation.participants;
    let (one, two) = (participants.side(user(1)).unwrap(), participants.side(user(2)).unwrap());
    for (id, (from, by_one, by_two)) in
        (1..).zip([(1, 0, 1), (1, 0, 2), (2, 1, 0), (2, 2, 0), (1, 0, 1), (1, 0, 2)])
    {
        world.append(append(1, from, id)).await;
        let counts = world.state(1).await.unwrap().counts;
        let unread = |side| counts.unread(side, SenderSequence::ZERO);
        must_be!((unread(one), unread(two)), (by_one, by_two), "after message {id}");
    }
}
