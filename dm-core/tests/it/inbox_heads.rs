//! Sessions that get no hints ask for the heads of their inboxes. Many sessions share one read.

use dm_core::notify::NullNotifier;
use dm_core::{Delivery, Session};

use crate::common::gate::GatedStore;
use crate::common::{World, backlog, let_tasks_run, poll_once, text, texts, who};

/// Sessions of `count` users that have caught up and get no hints.
async fn waiting(store: &GatedStore, count: u64) -> (World, Vec<Session>) {
    let world = World::notifying(store.clone(), |_| NullNotifier, |_| ());
    let mut sessions = Vec::new();
    for n in 1..=count {
        let mut session = world.connect(&who(n)).await;
        backlog(&mut session).await;
        sessions.push(session);
    }
    (world, sessions)
}

/// Makes all sessions wait, and advances the clock by one poll interval.
async fn poll(world: &World, sessions: &mut [Session]) {
    for session in sessions {
        assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
    }
    world.clock.advance(world.dm.config().poll_interval);
}

#[tokio::test]
async fn waiting_sessions_share_bounded_reads_of_heads_and_read_no_inbox() {
    let store = GatedStore::new();
    let (world, mut sessions) = waiting(&store, 600).await;
    let before = store.inbox_reads();
    for polls in 1..=3 {
        poll(&world, &mut sessions).await;
        for session in &mut sessions {
            assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
        }
        let_tasks_run().await;
        let asked = store.heads_asked();
        assert_eq!(asked.iter().sum::<usize>(), polls * 600);
        assert!(asked.iter().all(|users| *users <= 256) && asked.len() <= polls * 4, "{asked:?}");
    }
    assert_eq!(store.inbox_reads(), before);
}

#[tokio::test]
async fn only_sessions_that_missed_an_entry_read_their_inbox() {
    let store = GatedStore::new();
    let (world, mut sessions) = waiting(&store, 5).await;
    let chat = world.open(9, 4).await;
    world.send(&who(9), chat, "unannounced").await;
    let before = store.inbox_reads();
    poll(&world, &mut sessions).await;
    for (n, session) in (1..).zip(&mut sessions) {
        let mut next = Box::pin(session.next());
        let mut first = poll_once(&mut next).await;
        if first.is_none() {
            let_tasks_run().await;
            first = poll_once(&mut next).await;
        }
        assert_eq!(first.is_some(), n == 4, "user {n}");
    }
    assert_eq!(text(&mut sessions[3]).await, "unannounced", "after the notice of the conversation");
    assert_eq!(store.inbox_reads(), before + 1);
}

#[tokio::test]
async fn a_hint_is_delivered_while_the_read_of_the_head_hangs() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    backlog(&mut session).await;
    store.hold_heads();
    let mut next = Box::pin(session.next());
    assert!(poll_once(&mut next).await.is_none());
    world.clock.advance(world.dm.config().poll_interval);
    assert!(poll_once(&mut next).await.is_none());
    let_tasks_run().await;
    assert_eq!(store.heads_asked(), [1]);
    world.send(&who(1), chat, "hinted").await;
    let Delivery::Entry(entry) = next.await.unwrap() else { panic!("not an entry") };
    assert_eq!(texts([&entry]), ["hinted"]);
    // The head is not above the position of the session.
    let before = store.inbox_reads();
    store.release_heads();
    assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
    let_tasks_run().await;
    assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
    assert_eq!((store.heads_asked().len(), store.inbox_reads()), (1, before));
}

#[tokio::test]
async fn a_session_reads_its_inbox_if_the_store_does_not_answer_its_head() {
    let store = GatedStore::new();
    let (world, mut sessions) = waiting(&store, 1).await;
    let chat = world.open(9, 1).await;
    world.send(&who(9), chat, "unannounced").await;
    store.shorten_heads();
    poll(&world, &mut sessions).await;
    let Delivery::Entry(_) = sessions[0].next().await.unwrap() else { panic!("not an entry") };
    assert_eq!(text(&mut sessions[0]).await, "unannounced");
}

#[tokio::test]
async fn sessions_read_their_inboxes_after_a_panic_of_the_store_and_ask_again_later() {
    let store = GatedStore::new();
    let (world, mut sessions) = waiting(&store, 2).await;
    store.panic_at_heads();
    for polls in 1..=2 {
        let before = store.inbox_reads();
        poll(&world, &mut sessions).await;
        for session in &mut sessions {
            assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
        }
        let_tasks_run().await;
        for session in &mut sessions {
            assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
        }
        let read = store.inbox_reads() - before;
        assert_eq!((store.heads_asked().len(), read), (polls, if polls == 1 { 2 } else { 0 }));
    }
}

#[tokio::test]
async fn the_remaining_sessions_are_answered_when_others_are_dropped() {
    let store = GatedStore::new();
    let (world, mut sessions) = waiting(&store, 3).await;
    let chat = world.open(9, 3).await;
    world.send(&who(9), chat, "unannounced").await;
    store.hold_heads();
    poll(&world, &mut sessions).await;
    for session in &mut sessions {
        assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
    }
    let_tasks_run().await;
    sessions.drain(..2);
    store.release_heads();
    let Delivery::Entry(_) = sessions[0].next().await.unwrap() else { panic!("not an entry") };
    assert_eq!(text(&mut sessions[0]).await, "unannounced");
}
