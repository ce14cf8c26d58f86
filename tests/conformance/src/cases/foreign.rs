//! Clause 27, foreign: a conversation of other users reads as a missing one.

use dm_core::store::{HistoryQuery, HistoryRange, Refusal, Store};

use crate::build::{ack_messages, append, append_as, conversation, open, register, user, who};
use crate::reads::{above, below, history_of};
use crate::{Harness, World};

/// In both directions of history.
pub async fn a_foreign_conversation_reads_as_a_missing_one<H: Harness>(world: World<H>) {
    strangers(&world).await;
    for range in [HistoryRange::Newest, above(0), above(u64::MAX), below(2)] {
        for n in [1, 9] {
            let query = HistoryQuery { max_bytes: 0, ..history_of(n, 3, range, 10) };
            assert!(world.store().history(query).await.unwrap().is_none(), "conversation {n}, {range:?}");
        }
    }
    assert!(world.history(user(2), conversation(1)).await.is_some());
}

/// With and without messages.
pub async fn a_foreign_conversation_without_messages_reads_as_a_missing_one<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    assert!(world.history(user(3), conversation(1)).await.is_none());
    assert!(world.history(user(1), conversation(1)).await.is_some());
}

/// The refusal is that for a missing conversation, and nothing is stored.
pub async fn a_foreign_conversation_is_written_to_as_to_a_missing_one<H: Harness>(world: World<H>) {
    strangers(&world).await;
    let before = world.snapshot().await;
    must_be!(world.refused(append(1, 3, 50).into()).await, Refusal::NotFound);
    must_be!(world.refused(append(9, 3, 51).into()).await, Refusal::NotFound);
    must_be!(world.snapshot().await, before);
}

/// The check of the participants comes first: a used client id and the fence of the peer reveal
/// nothing.
pub async fn not_found_comes_before_the_other_refusals<H: Harness>(world: World<H>) {
    strangers(&world).await;
    for n in [1, 9] {
        must_be!(world.refused(append_as(n, 3, 50, 3).into()).await, Refusal::NotFound);
        must_be!(world.refused(crate::build::naming(append(n, 3, 51), 7)).await, Refusal::NotFound);
    }
}

/// The list of a user who is not a participant does not have it.
pub async fn a_foreign_conversation_is_not_listed<H: Harness>(world: World<H>) {
    strangers(&world).await;
    let listed: Vec<_> = world.list(3, None, 10).await.iter().map(|state| state.conversation.id).collect();
    must_be!(listed, [conversation(2)]);
}

/// An acknowledgement of a message of other users counts it as unknown.
pub async fn a_foreign_message_is_as_unknown_as_a_missing_one<H: Harness>(world: World<H>) {
    strangers(&world).await;
    world.done(register(who(3))).await;
    let foreign = world.ack(ack_messages(who(3), [1])).await;
    must_be!((foreign.acknowledged, foreign.unknown), (0, 1));
    must_be!(world.ack(ack_messages(who(3), [99])).await, foreign);
}

/// A message between users 1 and 2, and one from user 3, with client id 3, to user 4.
async fn strangers<H: Harness>(world: &World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 3, 4)]).await;
    world.commit(vec![append(1, 1, 1).into(), append_as(2, 3, 2, 3).into()]).await;
}
