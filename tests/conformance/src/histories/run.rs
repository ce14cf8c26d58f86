//! The runs: concurrent tasks on one store.

use std::sync::Arc;

use dm_core::store::ConversationId;

use super::actor::{Actor, Plan};
use super::recorder::{self, Recorder};
use super::{Call, History, check};
use crate::{Harness, World, build};

/// The number of concurrent tasks.
const TASKS: u64 = 8;

/// Tasks send in a few conversations, drop some sends before they are answered, retry them, and
/// acknowledge.
///
/// # Panics
/// Panics if the answers contradict the stored data.
pub async fn many_senders_in_few_conversations<H: Harness>(world: World<H>) {
    rounds(world, Plan { users: 3, ops: 100, opened: true, expires: false }).await;
}

/// Tasks open the same conversations, send in them, move fences, and expire entries that others
/// acknowledge.
///
/// # Panics
/// Panics if the answers contradict the stored data.
pub async fn opening_expiring_and_acknowledging_at_once<H: Harness>(world: World<H>) {
    rounds(world, Plan { users: 4, ops: 100, opened: false, expires: true }).await;
}

/// Runs a plan once, or `DM_ROUNDS` times.
async fn rounds<H: Harness>(world: World<H>, plan: Plan) {
    let number = |name| {
        let value = std::env::var(name).ok()?;
        Some(value.parse::<u64>().unwrap_or_else(|_| panic!("{name} must be a number, not {value}")))
    };
    let seed = number("DM_SEED").unwrap_or(1);
    let mut world = Some(world);
    for round in 0..number("DM_ROUNDS").unwrap_or(1) {
        let world = match world.take() {
            Some(world) => world,
            None => World::new().await,
        };
        run(world, plan, seed.wrapping_add(round)).await;
    }
}

async fn run<H: Harness>(mut world: World<H>, plan: Plan, seed: u64) {
    let recorder = Arc::new(Recorder::new(world.store()));
    let mut history = History::default();
    let mut opened = Vec::new();
    if plan.opened {
        let pairs = (0..plan.users).flat_map(|one| (one + 1..plan.users).map(move |other| (one, other)));
        let (writes, ids): (Vec<_>, Vec<(_, _, ConversationId)>) = pairs
            .zip(1..)
            .map(|((one, other), n)| (build::open(n, one, other), (one, other, build::conversation(n))))
            .unzip();
        history.calls.push(recorder.commit(writes, None).await);
        opened = ids;
    }

    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let actor = Actor::new(task, plan, seed, opened.clone(), Arc::clone(&recorder));
            tokio::spawn(actor.act())
        })
        .collect();
    for task in tasks {
        let History { calls, reads } = task.await.expect("a task does not panic");
        history.calls.extend(calls);
        history.reads.extend(reads);
    }
    // Dropped commits may still be in progress. This commit is answered after them.
    let barrier: Call = recorder.commit(vec![build::expire(0, 0)], None).await;
    history.calls.push(barrier);
    drop(recorder);
    if H::REOPENS {
        world.reopen().await;
    }

    let snapshot = recorder::snapshot(&*world.store(), plan.users).await;
    let findings = check(&history, &snapshot);
    assert!(
        findings.is_empty(),
        "{} findings in {} calls, DM_SEED={seed}:\n{}",
        findings.len(),
        history.calls.len(),
        findings.iter().take(20).map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    );
}
