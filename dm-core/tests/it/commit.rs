//! Group commit: its batches, the answers to callers, and failures of the store.

use std::time::Duration;

use dm_core::store::StoreErrorKind;
use dm_core::{AckTarget, Error, HistoryRange, Retry, SendMessage, Sent, Timestamp};
use tokio::task::JoinSet;

use crate::common::gate::{Fault, GatedStore};
use crate::common::{
    World, ciphertext, client_id, derived_key, let_tasks_run, message, numbers, payload, poll_once, texts,
    user, who,
};

/// A gated store, a world on it, and an open conversation of users 1 and 2.
async fn gated() -> (GatedStore, World, dm_core::ConversationId) {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    (store, world, chat)
}

/// Starts a task for each message, which sends the message as user 1.
fn start(world: &World, sends: impl IntoIterator<Item = SendMessage>) -> JoinSet<Result<Sent, Error>> {
    let mut tasks = JoinSet::new();
    for message in sends {
        let dm = world.dm.clone();
        tasks.spawn(async move { dm.send(&who(1), message).await });
    }
    tasks
}

#[tokio::test]
async fn writes_that_arrive_during_a_commit_are_the_next_batch() {
    let (store, world, chat) = gated().await;
    let_tasks_run().await;
    let before = store.batches().len();
    store.hold_commits();
    let mut tasks = start(&world, [message(chat, "first")]);
    let_tasks_run().await;
    let rest = start(&world, (0..50).map(|n| message(chat, &n.to_string())));
    let_tasks_run().await;
    store.release_commits();
    assert!(tasks.join_next().await.unwrap().unwrap().is_ok());
    assert!(rest.join_all().await.iter().all(Result::is_ok));
    assert_eq!(store.batches()[before..], [1, 50]);
}

#[tokio::test(start_paused = true)]
async fn callers_that_send_again_immediately_share_one_batch() {
    let (store, world, chat) = gated().await;
    let_tasks_run().await;
    let before = store.batches().len();
    store.hold_commits();
    let again_and_again = || {
        let dm = world.dm.clone();
        async move {
            for n in 0..10 {
                dm.send(&who(1), message(chat, &n.to_string())).await.unwrap();
            }
        }
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(again_and_again());
    let_tasks_run().await;
    for _ in 0..15 {
        tasks.spawn(again_and_again());
    }
    let_tasks_run().await;
    for _ in 0..6 {
        // The store holds each batch until all answered callers have made their next sends.
        store.release_one_commit();
        let_tasks_run().await;
    }
    assert_eq!(store.batches()[before..], [1, 15, 16, 16, 16, 16], "no batch of 1 between those of 15");
    store.release_commits();
    tasks.join_all().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_does_not_wait_for_answered_callers_that_send_nothing() {
    let (store, world, chat) = gated().await;
    let_tasks_run().await;
    let before = store.batches().len();
    store.hold_commits();
    let _first = start(&world, [message(chat, "first")]);
    let_tasks_run().await;
    let two = start(&world, [message(chat, "second"), message(chat, "third")]);
    let_tasks_run().await;
    store.release_one_commit();
    let_tasks_run().await;
    // The longer a commit takes, the longer the lane may wait for other callers.
    tokio::time::advance(Duration::from_secs(60)).await;
    store.release_commits();
    assert!(two.join_all().await.iter().all(Result::is_ok));
    let_tasks_run().await;
    let _alone = start(&world, [message(chat, "alone")]);
    let_tasks_run().await;
    assert_eq!(store.batches()[before..], [1, 2, 1]);
}

#[tokio::test]
async fn no_caller_is_answered_before_the_commit() {
    let (store, world, chat) = gated().await;
    let_tasks_run().await;
    store.hold_commits();
    let sender = who(1);
    let mut sending = Box::pin(world.dm.send(&sender, message(chat, "1")));
    assert!(poll_once(&mut sending).await.is_none());
    let_tasks_run().await;
    assert!(poll_once(&mut sending).await.is_none());
    assert_eq!(world.dm.conversation(&who(1), chat).await.unwrap().head.get(), 0);
    store.release_commits();
    assert!(sending.await.is_ok());
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_next_commit() {
    let (store, world, chat) = gated().await;
    let_tasks_run().await;
    store.hold_commits();
    let first = start(&world, [message(chat, "first")]);
    let_tasks_run().await;
    let rest = start(&world, (0..3).map(|n| message(chat, &n.to_string())));
    let_tasks_run().await;
    let before = store.batches().len();
    store.release_one_commit();
    assert!(first.join_all().await.iter().all(Result::is_ok));
    let_tasks_run().await;
    assert_eq!(store.batches()[before..], [1], "the next batch is held");
    store.release_commits();
    assert!(rest.join_all().await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_batch_ends_at_its_limits_of_count_and_bytes() {
    for (change, expected) in [
        ((|c| c.batch = 10) as fn(&mut dm_core::Config), vec![1, 10, 10, 5]),
        // Exactly three payloads of 1,000 bytes fit into one batch. Each counts 120 bytes more.
        (|c| c.batch_bytes = 3 * 1_120, vec![1, 3, 3, 3, 3, 3, 3, 3, 3, 1]),
        // A single larger write is a batch of its own.
        (|c| c.batch_bytes = 1, vec![1; 26]),
    ] {
        let store = GatedStore::new();
        let world = World::with(store.clone(), change);
        let chat = world.open(1, 2).await;
        let_tasks_run().await;
        let before = store.batches().len();
        store.hold_commits();
        let first = start(&world, [message(chat, "first")]);
        let_tasks_run().await;
        let rest = start(&world, (0..25).map(|_| message(chat, &"x".repeat(1_000))));
        let_tasks_run().await;
        store.release_commits();
        first.join_all().await;
        rest.join_all().await;
        assert_eq!(store.batches()[before..], expected);
    }
}

#[tokio::test]
async fn a_refusal_in_a_batch_of_64_does_not_affect_the_other_63() {
    let (store, world, chat) = gated().await;
    let foreign = world.open(3, 4).await;
    let_tasks_run().await;
    store.hold_commits();
    let _first = start(&world, [message(chat, "first")]);
    let_tasks_run().await;
    let tasks = start(&world, (0..64).map(|n| message(if n == 30 { foreign } else { chat }, "x")));
    let_tasks_run().await;
    store.release_commits();
    let results = tasks.join_all().await;
    assert_eq!(store.batches().last(), Some(&64));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 63);
    assert!(results.iter().any(|result| matches!(result, Err(Error::NotFound))));
    assert_eq!(world.dm.conversation(&who(1), chat).await.unwrap().head.get(), 64);
    assert_eq!(world.dm.conversation(&who(3), foreign).await.unwrap().head.get(), 0);
}

#[tokio::test]
async fn the_same_client_id_from_50_tasks_is_one_message_and_50_equal_answers() {
    let (_, world, chat) = gated().await;
    let send = SendMessage { client_id: Some(client_id(1)), ..message(chat, "once") };
    let answers = start(&world, std::iter::repeat_n(send, 50)).join_all().await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert!(
        answers
            .iter()
            .all(|sent| sent.message == answers[0].message && sent.inbox_seq == answers[0].inbox_seq)
    );
    assert_eq!(answers.iter().filter(|sent| !sent.repeated).count(), 1);
    assert_eq!(texts(&world.pending(&who(2)).await), ["once"]);
}

#[tokio::test]
async fn a_client_id_used_before_for_other_content_is_refused_and_nothing_is_stored() {
    let (_, world, chat) = gated().await;
    let other_chat = world.open(1, 3).await;
    let send = SendMessage { client_id: Some(client_id(1)), ..message(chat, "one") };
    world.dm.send(&who(1), send.clone()).await.unwrap();
    for changed in [
        SendMessage { ciphertext: ciphertext("two"), ..send.clone() },
        SendMessage { conversation: other_chat, ..send.clone() },
        SendMessage { sent_at: Timestamp::from_millis(6), ..send.clone() },
    ] {
        assert!(matches!(world.dm.send(&who(1), changed).await, Err(Error::ClientIdReused)));
    }
    assert_eq!(world.dm.conversation(&who(1), chat).await.unwrap().head.get(), 1);
    assert_eq!(world.dm.conversation(&who(1), other_chat).await.unwrap().head.get(), 0);
}

#[tokio::test]
async fn the_same_client_id_from_two_senders_is_two_messages() {
    let (_, world, chat) = gated().await;
    let send = SendMessage { client_id: Some(client_id(1)), ..message(chat, "hello") };
    let one = world.dm.send(&who(1), send.clone()).await.unwrap();
    let two = world.dm.send(&who(2), send).await.unwrap();
    assert_ne!(one.message.id, two.message.id);
    assert_eq!((one.message.sequence.get(), two.message.sequence.get()), (1, 2));
}

#[tokio::test]
async fn without_a_client_id_sending_twice_is_two_messages() {
    let (_, world, chat) = gated().await;
    world.send(&who(1), chat, "same").await;
    world.send(&who(1), chat, "same").await;
    assert_eq!(texts(&world.pending(&who(2)).await), ["same", "same"]);
}

#[tokio::test]
async fn a_dropped_send_is_stored_in_full_or_not_at_all() {
    let mut happened = 0;
    for polls in 0..40 {
        let (store, world, chat) = gated().await;
        let_tasks_run().await;
        if polls % 2 == 0 {
            store.hold_commits();
        }
        let mut watching = world.dm.follow(&who(2)).await.unwrap();
        let sender = who(1);
        let mut sending = Box::pin(world.dm.send(&sender, message(chat, "maybe")));
        for _ in 0..polls {
            if poll_once(&mut sending).await.is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(sending);
        store.release_commits();
        let_tasks_run().await;
        let history = world.dm.history(&who(1), chat, HistoryRange::Newest, 10).await.unwrap().messages;
        let received = world.pending(&who(2)).await;
        let hinted = poll_once(&mut Box::pin(watching.next())).await.is_some();
        match history.as_slice() {
            [] => {
                assert!(texts(&received).is_empty());
                assert!(!hinted);
            }
            [message] => {
                assert_eq!(texts(&received), [payload(message)]);
                assert!(hinted, "a stored message is notified");
                happened += 1;
            }
            more => panic!("{} messages", more.len()),
        }
    }
    assert!(happened > 0 && happened < 40, "some were stored and some were not: {happened}");
}

#[tokio::test]
async fn a_failed_commit_fails_all_its_callers_and_stores_nothing() {
    let (store, world, chat) = gated().await;
    let_tasks_run().await;
    store.hold_commits();
    let _first = start(&world, [message(chat, "first")]);
    let_tasks_run().await;
    let tasks = start(&world, (0..10).map(|_| message(chat, "x")));
    let_tasks_run().await;
    store.next_commit(Fault::Fail(StoreErrorKind::Engine));
    store.next_commit(Fault::Fail(StoreErrorKind::Full));
    store.release_commits();
    for result in tasks.join_all().await {
        let error = result.unwrap_err();
        assert!(
            matches!(&error, Error::Unavailable(store) if store.kind() == StoreErrorKind::Full),
            "{error:?}"
        );
        assert!(matches!(error.retry(), Retry::After(_)));
    }
    assert!(!world.dm.health().is_ready());
    assert_eq!(world.dm.conversation(&who(1), chat).await.unwrap().head.get(), 0);
    world.send(&who(1), chat, "again").await;
    assert!(world.dm.health().is_ready());
}

#[tokio::test]
async fn an_unknown_outcome_is_reported_and_a_retry_resolves_it() {
    let (store, world, chat) = gated().await;
    let_tasks_run().await;
    let send = SendMessage { client_id: Some(client_id(1)), ..message(chat, "once") };
    store.next_commit(Fault::StoredUnknown);
    let error = world.dm.send(&who(1), send.clone()).await.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown(_)), "{error:?}");
    let sent = world.dm.send(&who(1), send).await.unwrap();
    assert!(sent.repeated);
    assert_eq!(sent.message.sequence.get(), 1);
    assert_eq!(texts(&world.pending(&who(2)).await), ["once"]);
}

#[tokio::test]
async fn too_few_outcomes_are_reported_as_an_unknown_outcome() {
    let (store, world, chat) = gated().await;
    let_tasks_run().await;
    store.next_commit(Fault::Short);
    let error = world.dm.send(&who(1), message(chat, "x")).await.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown(_)), "{error:?}");
}

#[tokio::test]
async fn a_panic_of_the_store_answers_all_callers_and_makes_the_service_unready() {
    let (store, world, chat) = gated().await;
    let_tasks_run().await;
    store.hold_commits();
    let tasks = start(&world, (0..10).map(|_| message(chat, "x")));
    let_tasks_run().await;
    store.next_commit(Fault::Panic);
    store.release_commits();
    for result in tasks.join_all().await {
        assert!(matches!(result, Err(Error::OutcomeUnknown(_) | Error::Unavailable(_))), "{result:?}");
    }
    assert!(!world.dm.health().is_ready());
    let later = world.dm.send(&who(1), message(chat, "later")).await;
    assert!(matches!(later, Err(Error::Unavailable(_))), "{later:?}");
    // Expiry is committed in another lane, which does not show that sends are possible again.
    let before = store.batches().len();
    world.clock.advance(world.dm.config().expiry_interval);
    let_tasks_run().await;
    assert!(store.batches().len() > before && !world.dm.health().is_ready());
    world.dm.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn callers_of_the_previous_batch_are_answered_when_the_store_panics() {
    let (store, world, chat) = gated().await;
    let_tasks_run().await;
    store.hold_commits();
    let first = start(&world, [message(chat, "first")]);
    let_tasks_run().await;
    let second = start(&world, [message(chat, "second")]);
    let_tasks_run().await;
    store.next_commit(Fault::None);
    store.next_commit(Fault::Panic);
    store.release_commits();
    assert!(first.join_all().await.iter().all(Result::is_ok));
    assert!(matches!(second.join_all().await.as_slice(), [Err(Error::OutcomeUnknown(_))]));
}

#[tokio::test]
async fn shutdown_commits_queued_writes_and_refuses_later_ones() {
    let (store, world, chat) = gated().await;
    let_tasks_run().await;
    store.hold_commits();
    let tasks = start(&world, (0..20).map(|n| message(chat, &n.to_string())));
    let_tasks_run().await;
    let mut stopping = Box::pin(world.dm.shutdown(Duration::from_secs(5)));
    assert!(poll_once(&mut stopping).await.is_none());
    let_tasks_run().await;
    let late = world.dm.send(&who(1), message(chat, "late")).await;
    assert!(matches!(late, Err(Error::ShuttingDown)), "{late:?}");
    store.release_commits();
    stopping.await;
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    assert!(!world.dm.health().accepting);
    assert_eq!(world.dm.conversation(&who(1), chat).await.unwrap().head.get(), 20);
}

#[tokio::test]
async fn shutdown_ends_within_its_bound_even_if_the_store_hangs() {
    let (store, world, chat) = gated().await;
    let_tasks_run().await;
    store.hold_commits();
    let in_flight = start(&world, [message(chat, "in flight")]);
    let_tasks_run().await;
    let queued = start(&world, [message(chat, "queued")]);
    let_tasks_run().await;
    let mut stopping = Box::pin(world.dm.shutdown(Duration::from_secs(5)));
    assert!(poll_once(&mut stopping).await.is_none());
    world.clock.advance(Duration::from_secs(5));
    stopping.await;
    assert!(matches!(in_flight.join_all().await.as_slice(), [Err(Error::OutcomeUnknown(_))]));
    assert!(matches!(queued.join_all().await.as_slice(), [Err(Error::ShuttingDown)]));
}

#[tokio::test]
async fn callers_wait_when_the_queue_is_full() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |config| {
        config.max_payload = 1_000;
        config.queue_bytes = 4_000;
    });
    let chat = world.open(1, 2).await;
    let_tasks_run().await;
    let before = store.batches().len();
    let tasks = start(&world, (0..20).map(|_| message(chat, &"x".repeat(1_000))));
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    let batches = &store.batches()[before..];
    assert!(batches.iter().all(|size| *size <= 3), "{batches:?}");
}

#[tokio::test]
async fn conditions_count_in_the_queue() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |config| {
        config.max_payload = 1_000;
        config.queue_bytes = 4_000;
    });
    let chat = world.open(1, 2).await;
    let key = world.dm.publish_key(&who(2), derived_key(2)).await.unwrap();
    let_tasks_run().await;
    let before = store.batches().len();
    // Each send counts 1,120 bytes, and 256 for the key version that it names.
    let send = SendMessage { recipient_key_version: Some(key.version), ..message(chat, &"x".repeat(1_000)) };
    let tasks = start(&world, (0..20).map(|_| send.clone()));
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    let batches = &store.batches()[before..];
    assert!(batches.iter().all(|size| *size <= 2), "{batches:?}");
}

#[tokio::test]
async fn acknowledgements_count_in_the_queue_by_the_entries_that_they_name() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |config| {
        config.max_payload = 1_000;
        config.queue_bytes = 4_000;
    });
    let chat = world.open(1, 2).await;
    world.send_many(&who(1), chat, 100).await;
    let pending = world.pending(&who(2)).await;
    let seqs = pending.iter().map(|entry| entry.seq).take(100).collect();
    let ids = pending.iter().filter_map(|entry| Some(entry.message()?.id)).take(50).collect();
    // Each target counts 800 bytes.
    for target in [AckTarget::Entries(seqs), AckTarget::Messages(ids)] {
        let_tasks_run().await;
        let before = store.batches().len();
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let (dm, target) = (world.dm.clone(), target.clone());
            tasks.spawn(async move { dm.acknowledge(&who(2), target).await });
        }
        assert!(tasks.join_all().await.iter().all(Result::is_ok));
        let batches = &store.batches()[before..];
        assert!(batches.iter().all(|size| *size <= 4), "{batches:?}");
    }
}

#[tokio::test]
async fn a_write_larger_than_the_queue_is_committed_when_the_queue_is_empty() {
    let world = World::configured(|config| {
        config.max_payload = 1_000;
        config.queue_bytes = 1_000;
    });
    let chat = world.open(1, 2).await;
    // A write counts 64 bytes more than its payload.
    let mut tasks = start(&world, (0..3).map(|_| message(chat, &"x".repeat(1_000))));
    let names = AckTarget::Entries((1..=500).map(|_| dm_core::InboxSeq::new(1)).collect());
    let dm = world.dm.clone();
    let acknowledging = tokio::spawn(async move { dm.acknowledge(&who(2), names).await });
    for _ in 0..10 {
        let_tasks_run().await;
    }
    while let Some(sent) = tasks.try_join_next() {
        sent.unwrap().unwrap();
    }
    assert!(tasks.is_empty(), "{} sends wait for ever", tasks.len());
    assert!(acknowledging.is_finished());
    acknowledging.await.unwrap().unwrap();
}

#[tokio::test]
async fn simultaneous_openings_by_both_users_give_one_conversation() {
    let world = World::new();
    let mut tasks = JoinSet::new();
    for n in 0..50 {
        let dm = world.dm.clone();
        tasks.spawn(async move { dm.open_conversation(&who(1 + n % 2), user(2 - n % 2)).await.unwrap() });
    }
    let opened = tasks.join_all().await;
    assert!(opened.iter().all(|one| one.conversation == opened[0].conversation));
    assert_eq!(opened.iter().filter(|one| one.created).count(), 1);
    assert_eq!(
        numbers(&world.pending(&who(1)).await).len() + numbers(&world.pending(&who(2)).await).len(),
        1
    );
}
