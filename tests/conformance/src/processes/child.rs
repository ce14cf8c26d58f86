//! The child process.

use std::io::BufRead as _;
use std::path::Path;

use dm_core::store::{Store, StoreErrorKind};

use super::at_once::{self, Side};
use super::moves;
use super::other::LOCATION;
use crate::crash::{CrashHarness, Oracle, batch, digests};
use crate::process::{end_when_stuck, report};

/// Follows the parent's orders and ends, if this process was started as the child.
pub(super) fn end_if_child<H: CrashHarness>() {
    let Some(location) = std::env::var_os(LOCATION) else { return };
    end_when_stuck();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(obey::<H>(Path::new(&location)));
    std::process::exit(0);
}

async fn obey<H: CrashHarness>(location: &Path) {
    let harness = H::at(location);
    let store = match harness.open().await {
        Ok(store) => store,
        Err(error) if error.kind() == StoreErrorKind::Locked => return report("locked"),
        Err(error) => return report(&format!("{error:?}")),
    };
    report("open");
    for order in std::io::stdin().lock().lines() {
        let Ok(order) = order else { return };
        let answer = follow(&store, &order).await;
        // A report is one line.
        report(&answer.unwrap_or_else(|what| what).replace('\n', "; "));
    }
}

/// Follows one order. Returns the report, or a mistake of the store, which is reported as well.
async fn follow(store: &impl Store, order: &str) -> Result<String, String> {
    let words: Vec<&str> = order.split(' ').collect();
    let (what, numbers) = words.split_first().ok_or("an empty order")?;
    let numbers: Result<Vec<u64>, _> = numbers.iter().map(|word| word.parse()).collect();
    let numbers = numbers.map_err(|error| format!("{order}: {error}"))?;
    match (*what, numbers.as_slice()) {
        ("batch", [seed, n]) => {
            let outcomes = store.commit(batch(*seed, *n)).await;
            Ok(digests(&outcomes.map_err(|error| format!("batch {n} cannot be committed: {error:?}"))?))
        }
        ("judge", [seed, n]) => {
            Oracle::after(*seed, *n).judge(store).await?;
            Ok("fine".to_owned())
        }
        ("round", [n]) => at_once::round(store, Side::Child, *n).await,
        ("look", []) => {
            at_once::dense(store).await?;
            Ok("fine".to_owned())
        }
        (what, [n]) => match moves::follow(store, what, *n).await {
            Some(result) => result.map(|()| "fine".to_owned()),
            None => Err(format!("an unknown order: {order}")),
        },
        _ => Err(format!("an unknown order: {order}")),
    }
}
