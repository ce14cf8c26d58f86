//! A failure shows its origin: the line of the case, the write or query, and which value is the
//! store's.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dm_conformance::build::{append, register, who};
use dm_conformance::failed_commits::nothing_is_remembered;
use dm_conformance::{Harness, World, cases};
use dm_core::store::{MemoryStore, Store as _, StoreError, Write};

use crate::memory::Memory;

/// The panic message of a case.
fn failure(case: impl AsyncFnOnce(World<Memory>)) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let work = || runtime.block_on(async { case(World::new().await).await });
    text(catch_unwind(AssertUnwindSafe(work)).unwrap_err())
}

fn text(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => (*other.downcast::<&str>().unwrap()).to_owned(),
    }
}

/// The line after the one that calls this.
fn below(line: u32) -> String {
    format!("{}:{}", file!(), line + 1)
}

#[test]
fn a_refused_write_is_named_with_the_line_that_made_it() {
    let line = line!();
    let text = failure(async |world| _ = world.append(append(9, 1, 7)).await);
    assert!(text.contains(&below(line)), "{text}");
    assert!(text.contains("AppendMessage") && text.contains("is refused: NotFound"), "{text}");
}

#[test]
fn a_write_that_is_not_refused_is_named_with_the_line_that_made_it() {
    let line = line!();
    let text = failure(async |world| _ = world.refused(register(who(1))).await);
    assert!(text.contains(&below(line)), "{text}");
    assert!(text.contains("RegisterDevice") && text.contains("DeviceRegistered"), "{text}");
}

#[test]
fn a_missing_device_is_named_with_the_line_that_asked() {
    let line = line!();
    let text = failure(async |world| _ = world.cursor(&who(1)).await);
    assert!(text.contains(&below(line)) && text.contains("is not registered"), "{text}");
}

/// A store that is empty whenever it is opened.
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

#[tokio::test]
async fn a_store_that_forgets_failed_commits_passes() {
    // Nothing was applied, as in a store that rolled back.
    nothing_is_remembered(&MemoryStore::new(), async |_| ()).await;
}

/// Each write of the failed batch alone is noticed.
#[test]
fn a_store_that_remembers_a_failed_commit_is_noticed() {
    for index in 0..9 {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store = MemoryStore::new();
        let remember = async |batch: Vec<Write>| {
            _ = store.commit(vec![batch[index].clone()]).await.unwrap();
        };
        let work = || runtime.block_on(nothing_is_remembered(&store, remember));
        assert!(catch_unwind(AssertUnwindSafe(work)).is_err(), "write {index} is not noticed");
    }
}

#[test]
fn a_comparison_says_which_side_is_the_stores() {
    let cases = cases::<Forgetful>();
    let case = cases.iter().find(|case| case.name == "a_batch_is_there_after_reopening").unwrap();
    let text = text(catch_unwind(AssertUnwindSafe(|| case.run())).unwrap_err());
    assert!(text.contains("the store answers 0") && text.contains("expected 3"), "{text}");
}
