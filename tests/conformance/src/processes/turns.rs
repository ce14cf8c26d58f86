//! Two processes that write by turns.

use dm_core::store::Store as _;

use super::other::Other;
use super::verdict::Verdict;
use crate::crash::{CrashHarness, Oracle, parsed};

/// The number of batches. The child commits every second one.
const BATCHES: u64 = 60;
/// The number of batches after which both read everything: odd, so that either may have written
/// last.
const LOOKS: u64 = 5;
const SEED: u64 = 17;

pub(super) async fn trial<H: CrashHarness>(test: &str) -> Result<Verdict, String> {
    let harness = H::fresh().await;
    let store = harness.open().await.map_err(|error| format!("the store does not open: {error:?}"))?;
    let Some(mut other) = Other::start(&harness, test)? else { return Ok(Verdict::OneProcess) };
    let mut oracle = Oracle::new(SEED);
    for n in 1..=BATCHES {
        let batch = oracle.ask();
        if n % 2 == 0 {
            other.tell(&format!("batch {SEED} {n}"));
            let answer = other.answer()?;
            let digests = parsed(answer.split_whitespace()).map_err(|_| format!("the child's {answer}"))?;
            oracle.answered_as(&digests).map_err(|what| format!("the child's {what}"))?;
        } else {
            let outcomes = store.commit(batch).await;
            let outcomes = outcomes.map_err(|error| format!("batch {n} cannot be committed: {error:?}"))?;
            oracle.answered(&outcomes).map_err(|what| format!("the parent's {what}"))?;
        }
        if n % LOOKS == 0 {
            oracle.judge(&store).await.map_err(|what| format!("read by the parent: {what}"))?;
            other.checks(&format!("judge {SEED} {n}"))?;
        }
    }
    Ok(Verdict::Kept)
}
