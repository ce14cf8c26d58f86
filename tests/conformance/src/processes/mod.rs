//! Two processes on one place: what either was answered is there, once, for both.
//!
//! A parent and a child have the same place open and write to it. First they take turns, so that
//! each writes beside rows that it has not seen before; the batches are those of
//! [`crash`](crate::crash), and after every few of them both compare everything that can be read
//! with what was answered. Then they write at once, each round when both have come to it: messages
//! to one conversation, one send under one client id, and the opening of one pair.
//!
//! A handle in the same process is no second process: a store may share between its handles what it
//! does not share between processes, such as the newest numbers in memory. A store that allows one
//! process at a time refuses the child as [`Locked`](dm_core::store::StoreErrorKind::Locked), and the
//! trial says so.
//!
//! Give the trial a test program of its own, for the reason that [`crash`](crate::crash) names.

mod at_once;
mod child;
mod other;
mod turns;
mod verdict;

use std::time::Duration;

pub use verdict::Verdict;

use crate::crash::CrashHarness;
use crate::process::show;

/// How long the trial may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Makes a `#[test]` of two processes that write to one place, in turns and at once.
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

            /// Its child process runs this test as well.
            #[test]
            fn what_two_processes_write_is_there_once_and_for_both() {
                $crate::processes::run::<$harness>($crate::test_path!(
                    what_two_processes_write_is_there_once_and_for_both
                ));
            }
        }
    };
}

/// Runs the trial, or is its child. What [`processes_suite!`](crate::processes_suite) expands to.
///
/// # Panics
/// When something that was answered is lost, doubled, or numbered otherwise.
#[doc(hidden)]
pub fn run<H: CrashHarness>(test: &str) {
    match trial::<H>(test) {
        Ok(Verdict::Kept) => {}
        Ok(Verdict::OneProcess) => {
            show("not proven: two processes at once; the store allows one process at a time");
        }
        Err(what) => panic!("two processes on one place: {what}"),
    }
}

/// As [`run`], for tests that expect a store to fail.
///
/// # Errors
/// What was lost, doubled, or numbered otherwise.
pub fn trial<H: CrashHarness>(test: &str) -> Result<Verdict, String> {
    child::end_if_child::<H>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let both = async {
        turns::trial::<H>(test).await?;
        at_once::trial::<H>(test).await
    };
    let verdict = runtime.block_on(async { tokio::time::timeout(PATIENCE, both).await });
    verdict.unwrap_or_else(|_| Err(format!("the parent's store did not answer within {PATIENCE:?}")))
}
