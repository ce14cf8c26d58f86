//! Two processes with one storage location: answered writes of both are stored once, and both read
//! them.
//!
//! A parent and a child have the same store open and write to it. First they write by turns, so
//! that each writes next to rows that it has not read. These batches are those of
//! [`crash`](crate::crash); after every few of them both compare all readable data with the
//! answers. Then one moves fences and gates between the sends of the other. Last they write at the same time, in rounds: messages to one conversation, one send with
//! one client id, the opening of one pair, a record that is put if it is absent, and synced records
//! of one user.
//!
//! A second handle in the same process is no substitute: a store may share state between its
//! handles that it does not share between processes, such as the newest numbers in memory. A store
//! that allows one process at a time refuses the child as
//! [`Locked`](dm_core::store::StoreErrorKind::Locked), and the trial prints that.
//!
//! The trial needs a test program of its own, for the reason given in [`crash`](crate::crash).

mod at_once;
mod child;
mod moves;
mod other;
mod turns;
mod verdict;

use std::time::Duration;

pub use verdict::Verdict;

use crate::crash::CrashHarness;
use crate::process::show;

/// The time limit of the trial.
const PATIENCE: Duration = Duration::from_secs(300);

/// Makes a `#[test]` of two processes that write to one storage location, by turns and at the same
/// time.
///
/// ```text
/// dm_conformance::processes_suite!(MyHarness);
/// ```
#[macro_export]
macro_rules! processes_suite {
    ($harness:ty) => {
        mod processes {
            #[allow(unused_imports, reason = "the harness may be named by any path")]
            use super::*;

            /// The child process runs this test as well.
            #[test]
            fn what_two_processes_write_is_there_once_and_for_both() {
                $crate::processes::run::<$harness>($crate::test_path!(
                    what_two_processes_write_is_there_once_and_for_both
                ));
            }
        }
    };
}

/// Runs the trial, or its child. The test of [`processes_suite!`](crate::processes_suite) calls it.
///
/// # Panics
/// Panics if an answered write is lost, doubled or numbered differently.
#[doc(hidden)]
pub fn run<H: CrashHarness>(test: &str) {
    match trial::<H>(test) {
        Ok(Verdict::Kept) => {}
        Ok(Verdict::OneProcess) => {
            show("not proven: two processes at the same time; the store allows only one");
        }
        Err(what) => panic!("two processes with one store: {what}"),
    }
}

/// As [`run`], for tests of stores that fail.
///
/// # Errors
/// Fails with the write that is lost, doubled or numbered differently.
pub fn trial<H: CrashHarness>(test: &str) -> Result<Verdict, String> {
    child::end_if_child::<H>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let both = async {
        turns::trial::<H>(test).await?;
        moves::trial::<H>(test).await?;
        at_once::trial::<H>(test).await
    };
    let verdict = runtime.block_on(async { tokio::time::timeout(PATIENCE, both).await });
    verdict.unwrap_or_else(|_| Err(format!("the parent's store did not answer within {PATIENCE:?}")))
}
