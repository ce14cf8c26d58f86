//! Hints may be repeated, reordered, delayed and lost in any pattern: sessions deliver the same.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use dm_core::notify::{EndSessions, Notification, Notifier, NotifyError, Reach};
use dm_core::{Delivery, DisconnectReport, Hub, MemoryStore};
use proptest::prelude::*;

use crate::common::held_hints::HeldHints;
use crate::common::{World, backlog, let_tasks_run, poll_once, texts, who};

const MESSAGES: usize = 12;
/// Two hints per message: the recipient's and the sender's.
const HINTS: usize = 2 * MESSAGES;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_pattern_of_hints_delivers_each_message_once_and_in_order(
        early in 0..MESSAGES,
        rounds in prop::collection::vec(prop::collection::vec(0..HINTS + 3, 0..20), 1..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let seen = runtime.block_on(deliver(early, rounds));
        let expected: Vec<_> = (1..=MESSAGES).map(|n| n.to_string()).collect();
        prop_assert_eq!(seen, expected);
    }
}

/// Sends `early` messages before the session is connected and the others while it is connected, and
/// passes on the hints of each round. Returns the messages delivered by the end of the poll
/// interval.
async fn deliver(early: usize, rounds: Vec<Vec<usize>>) -> Vec<String> {
    let mut held_hints = None;
    let notifier = |hub| held_hints.insert(HeldHints::new(hub)).clone();
    let world = World::notifying(MemoryStore::new(), notifier, |_| ());
    let held_hints = held_hints.unwrap();
    let chat = world.open(1, 2).await;
    for n in 1..=early {
        world.send(&who(1), chat, &n.to_string()).await;
    }
    let mut session = world.connect(&who(2)).await;
    let mut seen = texts(backlog(&mut session).await.iter().filter_map(entry));
    for n in early + 1..=MESSAGES {
        world.send(&who(1), chat, &n.to_string()).await;
    }
    let_tasks_run().await;
    for round in rounds {
        held_hints.release(round).await;
        while let Some(delivery) = poll_once(&mut Box::pin(session.next())).await {
            seen.extend(texts(entry(&delivery.unwrap())));
        }
    }
    world.clock.advance(world.dm.config().poll_interval);
    assert!(poll_once(&mut Box::pin(session.next())).await.is_none(), "the session asks for the head");
    let_tasks_run().await;
    while let Some(delivery) = poll_once(&mut Box::pin(session.next())).await {
        seen.extend(texts(entry(&delivery.unwrap())));
    }
    seen
}

fn entry(delivery: &Delivery) -> Option<&dm_core::InboxEntry> {
    match delivery {
        Delivery::Entry(entry) => Some(entry),
        _ => None,
    }
}

/// A notifier that panics at the first commit and passes hints on to the hub after that.
struct PanicsOnce(Hub, AtomicBool);

#[async_trait]
impl Notifier for PanicsOnce {
    async fn notify(&self, notifications: &[Notification]) -> Result<Vec<Reach>, NotifyError> {
        assert!(self.1.swap(true, Ordering::SeqCst), "a notifier that panics");
        self.0.notify(notifications).await
    }

    async fn end_sessions(&self, request: &EndSessions) -> DisconnectReport {
        self.0.end_sessions(request).await
    }
}

#[tokio::test]
async fn hints_of_later_commits_are_delivered_after_a_panic_of_the_notifier() {
    let notifier = |hub| PanicsOnce(hub, AtomicBool::new(false));
    let world = World::notifying(MemoryStore::new(), notifier, |_| ());
    let mut session = world.connect(&who(2)).await;
    backlog(&mut session).await;
    let chat = world.open(1, 2).await;
    let_tasks_run().await;
    assert!(poll_once(&mut Box::pin(session.next())).await.is_none(), "the hint of the first commit is lost");
    world.send(&who(1), chat, "later").await;
    let_tasks_run().await;
    let mut seen = Vec::new();
    while let Some(delivery) = poll_once(&mut Box::pin(session.next())).await {
        seen.extend(texts(entry(&delivery.unwrap())));
    }
    assert_eq!(seen, ["later"]);
    assert!(world.dm.health().is_ready());
}
