//! Clause 12, three rows: the conversation and both inboxes.

use dm_core::store::{AppendMessage, DeviceId, Outcome};

use crate::build::{append, at, conversation, on, open, user, who};
use crate::reads::{above, history_of};
use crate::{Harness, World};

/// The message is equal in all three.
pub async fn a_message_is_in_its_conversation_and_in_both_inboxes<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for (id, from) in [(1, 1), (2, 2), (3, 1)] {
        let message = world.append(append(1, from, id)).await.message;
        must_be!(
            world.messages(history_of(1, 1, above(id - 1), 9)).await.messages,
            std::slice::from_ref(&message)
        );
        for n in [1, 2] {
            let entry = world.inbox(&who(n)).await.entries.pop().unwrap();
            must_be!(entry.message(), Some(&message), "inbox of user {n}");
            must_be!(entry.at, at(id));
        }
    }
}

/// Every message of a long batch, not only the last one.
pub async fn every_message_of_a_batch_is_stored_in_three_rows<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    world.commit((1..=64).map(|id| append(1, 1 + id % 2, id).into()).collect()).await;
    let history = world.history(user(1), conversation(1)).await.unwrap();
    for n in [1, 2] {
        let entries = world.inbox(&who(n)).await.entries;
        let messages: Vec<_> = entries.iter().filter_map(|entry| entry.message().cloned()).collect();
        must_be!(messages, history.messages, "inbox of user {n}");
    }
}

/// The sender's entry has the sending device as its origin; the recipient's entry has none.
pub async fn the_sending_device_is_the_origin_in_the_senders_inbox_only<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    world.append(AppendMessage { sender: on(1, "phone"), ..append(1, 1, 1) }).await;
    world.append(append(1, 1, 2)).await;
    let origins = |entries: Vec<dm_core::InboxEntry>| -> Vec<_> {
        entries.into_iter().map(|entry| entry.origin).skip(1).collect()
    };
    let sender = origins(world.inbox(&who(1)).await.entries);
    must_be!(sender, [Some(on(1, "phone").device), Some(DeviceId::default())]);
    must_be!(origins(world.inbox(&who(2)).await.entries), [None, None]);
}

/// No other inbox has the message.
pub async fn a_message_is_in_nobody_elses_inbox<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 2, 3), open(3, 1, 3)]).await;
    world.append(append(1, 1, 1)).await;
    must_be!(world.inbox(&who(3)).await.entries.len(), 2);
}

/// A refused message is in none of the three.
pub async fn a_refused_message_is_nowhere<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 2, 3)]).await;
    let outcomes = world.commit(vec![append(1, 3, 1).into(), append(2, 1, 2).into()]).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Refused(_))), "{outcomes:?}");
    for n in [1, 2] {
        must_be!(world.state(n).await.unwrap().head.get(), 0);
    }
    for (n, notices) in [(1, 1), (2, 2), (3, 1)] {
        must_be!(world.inbox(&who(n)).await.entries.len(), notices);
    }
}

/// The conversation's head and last activity are those of its newest message, also when the clock
/// went back.
pub async fn the_conversation_follows_its_newest_message<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    must_be!(world.state(1).await.unwrap().last_activity, None);
    for (n, time) in (1..).zip([100, 50, 70]) {
        world.append(append(1, 1, time)).await;
        let state = world.state(1).await.unwrap();
        must_be!((state.head.get(), state.last_activity), (n, Some(at(time))));
        must_be!(world.list(2, None, 9).await, [state]);
    }
}
