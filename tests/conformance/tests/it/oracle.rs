//! The crash trials find stores that lose, split, double or invent messages.

use std::path::Path;

use dm_conformance::Harness;
use dm_conformance::crash::{CrashHarness, Fate, Oracle, batch};
use dm_core::store::{MemoryStore, Store, StoreError, Write};

const SEED: u64 = 7;
const ANSWERED: u64 = 20;

/// An oracle after so many answered batches and one that was not answered.
async fn oracle() -> Oracle {
    let (mut oracle, store) = (Oracle::new(SEED), MemoryStore::new());
    for _ in 0..ANSWERED {
        let outcomes = store.commit(oracle.ask()).await.unwrap();
        oracle.answered(&outcomes).unwrap();
    }
    oracle.ask();
    oracle
}

/// A store that contains these batches.
async fn store_with(batches: impl IntoIterator<Item = Vec<Write>>) -> MemoryStore {
    let store = MemoryStore::new();
    for batch in batches {
        store.commit(batch).await.unwrap();
    }
    store
}

fn batches(numbers: impl IntoIterator<Item = u64>) -> impl Iterator<Item = Vec<Write>> {
    numbers.into_iter().map(|n| batch(SEED, n))
}

#[tokio::test]
async fn the_batch_that_was_not_answered_may_be_absent_or_whole() {
    for (there, fate) in [(ANSWERED, Fate::Absent), (ANSWERED + 1, Fate::Whole)] {
        let store = store_with(batches(1..=there)).await;
        assert_eq!(oracle().await.judge(&store).await.unwrap(), fate);
        assert_eq!(oracle().await.judge_any(&store).await.unwrap(), there);
    }
}

#[tokio::test]
async fn part_of_a_batch_is_found_out() {
    let last = batch(SEED, ANSWERED + 1);
    let parts = 1..last.len();
    let mut found = 0;
    for end in parts.clone() {
        let part = last[..end].to_vec();
        let store = store_with(batches(1..=ANSWERED).chain([part])).await;
        // The removed write may be one that changes nothing.
        found += usize::from(oracle().await.judge(&store).await.is_err());
    }
    assert!(2 * found > parts.len(), "{found} of {}", parts.len());
}

#[tokio::test]
async fn an_answered_batch_that_is_gone_is_found_out() {
    for lost in [1, 7, ANSWERED] {
        let store = store_with(batches((1..=ANSWERED).filter(|n| *n != lost))).await;
        oracle().await.judge(&store).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_message_that_was_never_sent_is_found_out() {
    let store = store_with(batches((1..=ANSWERED).chain([100]))).await;
    oracle().await.judge(&store).await.unwrap_err();
    oracle().await.judge_any(&store).await.unwrap_err();
}

#[tokio::test]
async fn an_answer_with_another_number_is_found_out() {
    let elsewhere = store_with(batches([1])).await;
    let outcomes = elsewhere.commit(batch(SEED, ANSWERED + 1)).await.unwrap();
    oracle().await.answered(&outcomes).unwrap_err();
}

#[tokio::test]
async fn a_repeat_that_is_stored_again_is_found_out() {
    let mut oracle = oracle().await;
    oracle.judge(&store_with(batches(1..=ANSWERED + 1)).await).await.unwrap();
    // This store has no record of the client ids, so it stores the retry again.
    let forgetful = store_with(batches(1..=ANSWERED)).await;
    let outcomes = forgetful.commit(oracle.ask()).await.unwrap();
    oracle.answered(&outcomes).unwrap_err();
}

/// A store that is empty in every process.
struct Forgetful;

impl Harness for Forgetful {
    type Store = MemoryStore;

    async fn fresh() -> Self {
        Self
    }

    async fn open(&self) -> Result<MemoryStore, StoreError> {
        Ok(MemoryStore::new())
    }
}

impl CrashHarness for Forgetful {
    fn path(&self) -> &Path {
        Path::new("nowhere")
    }

    fn at(_: &Path) -> Self {
        Self
    }
}

#[test]
#[should_panic(expected = "answered batches")]
fn a_store_that_keeps_nothing_does_not_get_through_the_trials() {
    let name = dm_conformance::test_path!(a_store_that_keeps_nothing_does_not_get_through_the_trials);
    dm_conformance::crash::run::<Forgetful>(name, 40, 0);
}
