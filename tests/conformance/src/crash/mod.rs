//! Crash trials: a process that writes to the store is killed, again and again, and what is there afterwards is
//! compared with what was answered.
//!
//! Say how a second process opens the place, and add the trials to the test:
//!
//! ```
//! use std::path::{Path, PathBuf};
//!
//! use dm_conformance::crash::CrashHarness;
//! # use dm_core::{MemoryStore, StoreError};
//! # struct MyHarness(PathBuf);
//! # impl dm_conformance::Harness for MyHarness {
//! #     type Store = MemoryStore;
//! #     async fn fresh() -> Self { Self(PathBuf::new()) }
//! #     async fn open(&self) -> Result<MemoryStore, StoreError> { Ok(MemoryStore::new()) }
//! # }
//!
//! impl CrashHarness for MyHarness {
//!     fn path(&self) -> PathBuf {
//!         self.0.clone()
//!     }
//!
//!     fn at(path: &Path) -> Self {
//!         Self(path.to_owned())
//!     }
//! }
//!
//! dm_conformance::crash_suite!(MyHarness);
//! # fn main() {}
//! ```
//!
//! Give the trials a test program of their own, a file under `tests/`. A process that is being started holds, for a
//! moment, all files of the one that starts it, and with them locks that another test just gave up.
//!
//! The test program runs itself as the child. A child commits [`batch`] after batch and says on a pipe what it asks and
//! what it was answered. The parent kills it at a moment drawn at random: while it opens the place, before its first
//! commit is answered, between asking and answering, right after an answer, or anywhere. Some children are killed
//! while they recover from an earlier kill. Then the parent opens the place itself and lets an [`Oracle`] judge it:
//!
//! - every answered write is there, with the numbers of the answer;
//! - the one batch that was not answered is there as a whole, in all its conversations and inboxes, or not at all;
//! - numbers are dense, and nothing is there that was not written;
//! - repeating that batch stores each of its messages once, and answers with the first numbers.
//!
//! The next child goes on from there, so that a place lives through many kills.
//!
//! # What this does not prove
//!
//! A killed process leaves the operating system's page cache behind. What the process wrote is there after reopening
//! whether or not it was synced, so that a store that never calls `fsync` passes. Whether answered data outlives a
//! power cut has to be tried below the file system calls: with a storage backend, a VFS or copied files that forget
//! what was not synced. The [`Oracle`] judges those just as well; it is public for that.
//!
//! # How many
//!
//! 200 trials or 60 seconds, whichever takes longer, unless the environment says otherwise:
//!
//! | variable | meaning |
//! |---|---|
//! | `DM_CRASH_TRIALS` | at least so many trials |
//! | `DM_CRASH_SECONDS` | at least so many seconds |
//! | `DM_CRASH_SEED` | what the batches and the moments are drawn from; printed when a trial fails |

mod answers;
mod child;
mod contents;
mod oracle;
mod trial;
mod workload;

use std::path::{Path, PathBuf};

pub use answers::Answers;
pub use oracle::{Fate, Oracle, Wrong};
#[doc(hidden)]
pub use trial::{AtLeast, run};
pub use workload::batch;

use crate::Harness;

/// A [`Harness`] whose place a second process can open.
pub trait CrashHarness: Harness {
    /// Where the place is: a file or a folder, or whatever else says it in the form of a path.
    fn path(&self) -> PathBuf;

    /// The place there. Dropping this must leave the place as it is.
    fn at(path: &Path) -> Self;
}

/// Makes a `#[test]` that kills a process in the middle of its writes, many times: see [`crash`](crate::crash).
///
/// ```text
/// dm_conformance::crash_suite!(MyHarness);
/// dm_conformance::crash_suite!(MyHarness, trials = 20);
/// ```
///
/// The second form runs so many trials however little time they take.
#[macro_export]
macro_rules! crash_suite {
    ($harness:ty) => {
        $crate::crash_suite! { @ $harness, $crate::crash::AtLeast::USUAL }
    };
    ($harness:ty, trials = $trials:expr) => {
        $crate::crash_suite! { @ $harness, $crate::crash::AtLeast { trials: $trials, seconds: 0 } }
    };
    (@ $harness:ty, $at_least:expr) => {
        mod crash_trials {
            #[allow(unused_imports, reason = "the harness may be named by any path")]
            use super::*;

            #[test]
            fn a_killed_process_loses_nothing_that_it_answered() {
                let name = concat!(module_path!(), "::a_killed_process_loses_nothing_that_it_answered");
                $crate::crash::run::<$harness>(name, $at_least);
            }
        }
    };
}
