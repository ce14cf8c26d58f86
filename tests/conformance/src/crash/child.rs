//! The child process, which writes until it is killed.

use std::io::Read as _;
use std::path::Path;

use dm_core::store::Store as _;

use super::batches::batch;
use super::harness::CrashHarness;
use super::oracle::digests;
use crate::process::{end_when_stuck, report};

/// Environment variables of the child: its storage location, the seed, its first batch, and the
/// batch whose answer it holds back. Without the two numbers it only opens the store.
pub(super) const LOCATION: &str = "DM_CRASH_LOCATION";
pub(super) const SEED: &str = "DM_CRASH_SEED";
pub(super) const FIRST: &str = "DM_CRASH_FIRST";
pub(super) const HELD: &str = "DM_CRASH_HELD";

/// Writes if this process was started as a child. Returns whether it was.
pub(super) fn is_child<H: CrashHarness>() -> bool {
    let Some(location) = std::env::var_os(LOCATION) else { return false };
    end_when_stuck();
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let numbers = number(SEED).zip(number(FIRST));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(write::<H>(Path::new(&location), numbers, number(HELD)));
    true
}

async fn write<H: CrashHarness>(location: &Path, numbers: Option<(u64, u64)>, held: Option<u64>) {
    report("opening");
    let harness = H::at(location);
    let store = harness.open().await.expect("the store of a killed process opens");
    report("open");
    let Some((seed, first)) = numbers else { return wait() };
    for n in first.. {
        let writes = batch(seed, n);
        report(&format!("asking {n}"));
        match store.commit(writes).await {
            Ok(_) if held == Some(n) => {
                report(&format!("held {n}"));
                return wait();
            }
            Ok(outcomes) => report(&format!("answered {n} {}", digests(&outcomes))),
            Err(error) => {
                report(&format!("failed {n} {error:?}"));
                return;
            }
        }
    }
}

/// Waits until the process is killed or its parent has ended.
fn wait() {
    let _ended = std::io::stdin().read_to_end(&mut Vec::new());
}
