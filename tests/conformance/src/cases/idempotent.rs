//! Clause 11, idempotent append: a retry answers with the first message.

use dm_core::store::{AppendMessage, Ciphertext, Outcome, Refusal, Suite};

use crate::build::{
    append, append_as, at, ciphertext, conversation, expire, message, naming, on, open, publish, user, who,
};
use crate::outcome::sent;
use crate::{Harness, World};

/// The answer to the retry equals the answer to the first send.
pub async fn a_retry_with_the_same_id_returns_the_first_sequence<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let first = world.append(append_as(1, 1, 1, 1)).await;
    world.append(append(1, 2, 2)).await;
    let retry = world.append(append_as(1, 1, 1, 1)).await;
    assert!(retry.is_found && !first.is_found);
    must_be!((retry.message, retry.sender_seq), (first.message, first.sender_seq));
}

/// Neither the conversation nor an inbox grows, and no entry is announced.
pub async fn a_retry_changes_nothing<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), append_as(1, 1, 1, 1).into(), append(1, 2, 2).into()]).await;
    let before = world.snapshot().await;
    assert!(world.append(append_as(1, 1, 1, 1)).await.appended.is_empty());
    must_be!(world.snapshot().await, before);
}

/// The message id, the device and the time differ in each retry, and are no part of the compared
/// content.
pub async fn a_retry_is_known_from_another_device_and_at_another_time<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let first = append_as(1, 1, 1, 1);
    world.append(first.clone()).await;
    let retry = AppendMessage { id: message(2), sender: on(1, "desk"), at: at(99), ..first };
    let retry = world.append(retry).await;
    assert!(retry.is_found);
    must_be!((retry.message.id, retry.message.received_at), (message(1), at(1)));
}

/// A difference in any part of the ciphertext, or in the client's time.
pub async fn the_same_id_with_other_content_is_refused<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let first = append_as(1, 1, 1, 1);
    world.append(first.clone()).await;
    let before = world.snapshot().await;
    let with = |nonce: u8, ephemeral: Option<&[u8]>, suite| {
        let ciphertext = Ciphertext::new(b"1".to_vec().into(), &[nonce; 24], ephemeral, suite).unwrap();
        AppendMessage { ciphertext, ..first.clone() }
    };
    let others = [
        ("payload", AppendMessage { ciphertext: ciphertext("other"), ..first.clone() }),
        ("longer payload", AppendMessage { ciphertext: ciphertext("1 "), ..first.clone() }),
        ("nonce", with(8, None, None)),
        ("ephemeral key", with(7, Some(&[1; 32]), None)),
        ("suite", with(7, None, Some(Suite(0)))),
        ("time", AppendMessage { sent_at: at(2), ..first.clone() }),
    ];
    for (what, other) in others {
        must_be!(world.refused(other.into()).await, Refusal::ClientIdReused, "another {what}");
    }
    must_be!(world.snapshot().await, before);
}

/// A client id belongs to its sender, across all conversations.
pub async fn the_same_id_in_another_conversation_is_refused<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 1, 3), append_as(1, 1, 1, 1).into()]).await;
    must_be!(world.refused(append_as(2, 1, 1, 1).into()).await, Refusal::ClientIdReused);
}

/// Two senders may use the same client id.
pub async fn the_same_id_from_two_senders_is_two_messages<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), append_as(1, 1, 1, 1).into()]).await;
    let other = AppendMessage { id: message(2), sender: who(2), ..append_as(1, 1, 1, 1) };
    assert!(!world.append(other).await.is_found);
    must_be!(world.state(1).await.unwrap().head.get(), 2);
}

/// A send with a new client id is no retry, even with the same content.
pub async fn the_same_content_under_another_id_is_another_message<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), append_as(1, 1, 1, 1).into()]).await;
    let again = AppendMessage { id: message(2), ..append_as(1, 1, 1, 2) };
    assert!(!world.append(again).await.is_found);
    must_be!(world.history(user(2), conversation(1)).await.unwrap().messages.len(), 2);
}

/// Sends without a client id are never taken for retries.
pub async fn equal_sends_without_an_id_are_two_messages<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), append(1, 1, 1).into()]).await;
    let again = world.append(AppendMessage { id: message(2), ..append(1, 1, 1) }).await;
    must_be!((again.is_found, again.message.sequence.get()), (false, 2));
}

/// The first send and its retry are in one batch.
pub async fn two_in_one_batch_are_one_message<H: Harness>(world: World<H>) {
    let retry = AppendMessage { id: message(2), ..append_as(1, 1, 1, 1) };
    let outcomes = world.commit(vec![open(1, 1, 2), append_as(1, 1, 1, 1).into(), retry.into()]).await;
    let retry = sent(outcomes[2].clone());
    must_be!((retry.is_found, retry.message.id), (true, message(1)));
    must_be!(world.state(1).await.unwrap().head.get(), 1);
}

/// Two sends with one client id and different contents are in one batch.
pub async fn two_contents_in_one_batch_are_refused_the_second_time<H: Harness>(world: World<H>) {
    let outcomes =
        world.commit(vec![open(1, 1, 2), append_as(1, 1, 1, 1).into(), append_as(1, 1, 2, 1).into()]).await;
    assert!(matches!(outcomes[2], Outcome::Refused(Refusal::ClientIdReused)), "{outcomes:?}");
}

/// One message is stored, and 50 equal answers are returned.
pub async fn fifty_tasks_with_one_id_make_one_message<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let send = |id| vec![AppendMessage { id: message(id), ..append_as(1, 1, 1, 1) }.into()];
    let outcomes = world.at_once((1..=50).map(send)).await;
    let answers: Vec<_> = outcomes.into_iter().flatten().map(sent).collect();
    let first = &answers[0];
    assert!(answers.iter().all(|a| (&a.message, a.sender_seq) == (&first.message, first.sender_seq)));
    must_be!(answers.iter().filter(|answer| !answer.is_found).count(), 1);
    must_be!(world.inbox(&who(2)).await.entries.len(), 2);
}

/// The recipient's key has changed since the first send was accepted.
pub async fn a_retry_is_answered_before_its_conditions_are_checked<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), publish(2, 1, 1)]).await;
    let send = append_as(1, 1, 1, 1);
    world.append(naming(send.clone(), 1)).await;
    world.done(publish(2, 2, 2)).await;
    assert!(world.append(naming(send.clone(), 1)).await.is_found);
    // A send with other content is refused because of its client id, for any key version that it
    // names.
    let other = AppendMessage { ciphertext: ciphertext("other"), ..send };
    must_be!(world.refused(naming(other, 1)).await, Refusal::ClientIdReused);
}

/// The client retries after the host was restarted.
pub async fn a_retry_is_known_after_reopening<H: Harness>(mut world: World<H>) {
    world.commit(vec![open(1, 1, 2), append(1, 2, 1).into()]).await;
    let first = world.append(append_as(1, 1, 2, 1)).await;
    world.reopen().await;
    let retry = world.append(append_as(1, 1, 2, 1)).await;
    assert!(retry.is_found);
    must_be!((retry.message, retry.sender_seq), (first.message, first.sender_seq));
    must_be!(world.refused(append_as(1, 1, 3, 1).into()).await, Refusal::ClientIdReused);
}

/// The client retries after the entry expired.
pub async fn a_retry_is_known_after_its_entries_expired<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let first = world.append(append_as(1, 1, 1, 1)).await;
    world.done(expire(100, 100)).await;
    let retry = world.append(append_as(1, 1, 1, 1)).await;
    assert!(retry.is_found);
    must_be!((retry.message, retry.sender_seq), (first.message, first.sender_seq));
}

/// Conditions are no part of the compared content.
pub async fn a_retry_with_other_conditions_is_a_retry<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), publish(2, 1, 1), append_as(1, 1, 1, 1).into()]).await;
    for named in [1, 2] {
        assert!(world.append(naming(append_as(1, 1, 1, 1), named)).await.is_found, "naming version {named}");
    }
}

/// The user sent many other messages before the retry.
pub async fn a_retry_is_known_after_2000_other_sends<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let first = world.append(append_as(1, 1, 1, 1)).await;
    for batch in 0..8 {
        let ids = (2..=251).map(|id| batch * 250 + id);
        world.commit(ids.map(|id| append_as(1, 1, id, id).into()).collect()).await;
    }
    let retry = world.append(append_as(1, 1, 1, 1)).await;
    assert!(retry.is_found, "stored again as {:?}", retry.message.sequence);
    must_be!((retry.message, retry.sender_seq), (first.message, first.sender_seq));
    must_be!(world.refused(append_as(1, 1, 9_999, 1).into()).await, Refusal::ClientIdReused);
}

/// The time of the send is the largest there is, so a store cannot forget the id later.
pub async fn a_retry_at_the_largest_time_is_known<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let send = AppendMessage { sent_at: at(u64::MAX), at: at(u64::MAX), ..append_as(1, 1, 1, 1) };
    let first = world.append(send.clone()).await;
    let retry = world.append(AppendMessage { id: message(2), ..send }).await;
    must_be!((retry.is_found, retry.message), (true, first.message));
}

/// The length of the equal part does not matter.
pub async fn content_that_differs_in_its_last_byte_is_refused<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let with = |payload: u8, nonce: u8, ephemeral: u8, suite| {
        let (payload, nonce) =
            ([vec![5; 64 * 1024], vec![payload]].concat(), [[7; 23].as_slice(), &[nonce]].concat());
        let ephemeral = [[9; 31].as_slice(), &[ephemeral]].concat();
        let ciphertext = Ciphertext::new(payload.into(), &nonce, Some(&ephemeral), Some(Suite(suite)));
        AppendMessage { ciphertext: ciphertext.unwrap(), ..append_as(1, 1, 1, 1) }
    };
    world.append(with(1, 1, 1, 0x0100_0001)).await;
    let others = [
        ("payload", with(2, 1, 1, 0x0100_0001)),
        ("nonce", with(1, 2, 1, 0x0100_0001)),
        ("ephemeral key", with(1, 1, 2, 0x0100_0001)),
        ("suite", with(1, 1, 1, 0x0100_0002)),
    ];
    for (what, other) in others {
        must_be!(world.refused(other.into()).await, Refusal::ClientIdReused, "another {what}");
    }
    assert!(world.append(with(1, 1, 1, 0x0100_0001)).await.is_found);
}
