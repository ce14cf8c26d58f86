//! The oracle of the crash trials notices what a store gets wrong.

use dm_conformance::crash::{Answers, Fate, Oracle, Wrong, batch};
use dm_core::{MemoryStore, Store, Write};

const SEED: u64 = 7;

/// A store with these batches in it.
async fn store_with(batches: impl IntoIterator<Item = Vec<Write>>) -> MemoryStore {
    let store = MemoryStore::new();
    for batch in batches {
        store.commit(batch).await.unwrap();
    }
    store
}

/// An oracle of 20 answered batches, and of a 21st that was not.
async fn oracle() -> Oracle {
    let (mut oracle, store) = (Oracle::new(), MemoryStore::new());
    for n in 0..20 {
        let batch = batch(SEED, n);
        oracle.asking(&batch);
        let outcomes = store.commit(batch).await.unwrap();
        oracle.answered(&Answers::of(&outcomes)).await.unwrap();
    }
    oracle.asking(&batch(SEED, 20));
    oracle
}

fn broken<T: std::fmt::Debug>(judged: Result<T, Wrong>) -> String {
    match judged {
        Err(Wrong::Broken(what)) => what,
        other => panic!("not noticed: {other:?}"),
    }
}

#[tokio::test]
async fn the_batch_that_was_not_answered_may_be_absent_or_whole() {
    for (there, fate) in [(20, Fate::Absent), (21, Fate::Whole)] {
        let store = store_with((0..there).map(|n| batch(SEED, n))).await;
        let mut oracle = oracle().await;
        assert_eq!(oracle.judge(&store).await.unwrap(), fate);
        oracle.repeat(&store).await.unwrap();
        assert_eq!(oracle.judge(&store).await.unwrap(), Fate::NothingAsked);
    }
}

#[tokio::test]
async fn part_of_a_batch_is_noticed_wherever_it_is_cut() {
    let last = batch(SEED, 20);
    let (whole, absent) = (
        store_with((0..21).map(|n| batch(SEED, n))).await,
        store_with((0..20).map(|n| batch(SEED, n))).await,
    );
    let mut noticed = 0;
    for cut in 1..last.len() {
        let part = last.iter().take(cut).cloned().collect();
        let store = store_with((0..20).map(|n| batch(SEED, n)).chain([part])).await;
        match oracle().await.judge(&store).await {
            Err(_) => noticed += 1,
            // What was cut off, or what was not, changes nothing by itself.
            Ok(fate) => {
                let same = if fate == Fate::Whole { &whole } else { &absent };
                assert_eq!(oracle().await.prefix(same).await.unwrap(), 20 + usize::from(fate == Fate::Whole));
            }
        }
    }
    assert!(noticed > last.len() / 2, "{noticed} of {}", last.len());
}

#[tokio::test]
async fn an_answered_batch_that_is_gone_is_noticed() {
    for lost in [0, 7, 19] {
        let store = store_with((0..20).filter(|n| *n != lost).map(|n| batch(SEED, n))).await;
        broken(oracle().await.judge(&store).await);
    }
}

#[tokio::test]
async fn what_nobody_wrote_is_noticed() {
    let store = store_with((0..20).map(|n| batch(SEED, n)).chain([batch(SEED, 100)])).await;
    broken(oracle().await.judge(&store).await);
}

#[tokio::test]
async fn a_wrong_answer_is_noticed() {
    let mut oracle = oracle().await;
    let elsewhere = store_with([batch(SEED, 0)]).await.commit(batch(SEED, 20)).await.unwrap();
    broken(oracle.answered(&Answers::of(&elsewhere)).await);
}

#[tokio::test]
async fn a_repeat_that_stores_again_is_noticed() {
    let mut oracle = oracle().await;
    oracle.judge(&store_with((0..21).map(|n| batch(SEED, n))).await).await.unwrap();
    // As a store that has forgotten what the client ids stand for.
    broken(oracle.repeat(&store_with((0..20).map(|n| batch(SEED, n))).await).await);
}

#[tokio::test]
async fn a_damaged_store_may_hold_a_prefix_and_nothing_else() {
    let oracle = oracle().await;
    for there in [0, 1, 13, 20, 21] {
        let store = store_with((0..there).map(|n| batch(SEED, n))).await;
        assert_eq!(oracle.prefix(&store).await.unwrap() as u64, there);
    }
    let hole = store_with([0, 1, 3].map(|n| batch(SEED, n))).await;
    broken(oracle.prefix(&hole).await);
}

#[test]
fn the_batches_do_all_kinds_of_things_and_some_are_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = MemoryStore::new();
    let mut said = String::new();
    for n in 0..100 {
        let outcomes = runtime.block_on(store.commit(batch(SEED, n))).unwrap();
        said += &format!(" {}", Answers::of(&outcomes));
    }
    for word in [
        "message:",
        "opened:",
        "announced:",
        "key:",
        "acknowledged:",
        "registered",
        "forgotten:true",
        "expired:",
        "refused:NotFound",
        "refused:stale_key",
        "refused:beyond_head",
        "refused:UnknownDevice",
    ] {
        assert!(said.contains(word), "{word} never comes");
    }
}
