//! Kill and reopen: what was answered is there, and what was not is there as a whole or not at all.
//!
//! A child process writes batch after batch to a store and reports on a pipe what it asks and what it is answered. The
//! parent kills it, with SIGKILL, at a point of its choice, opens the store itself, and compares everything that can be
//! read with the [`Model`](crate::model::Model) of what was answered: with the one batch that was asked and not
//! answered, or without it. Then the next child goes on at the same place, with that batch first, as a client that asks
//! again would.
//!
//! A child is killed while it opens the place, when it asked and a random moment later, right after an answer, or with
//! the answer to a finished commit kept back. After every third kill, the next to open the place is killed as well, at
//! a random moment: recovering from a crash may crash.
//!
//! Give the trials a test program of their own. A process that is being started holds for a moment
//! all files of the one that starts it, and with them locks that another test of the same program
//! has just given up. Where locks belong to a process and are not inherited, as SQLite's, or where
//! there are none, the trials need no program of their own.
//!
//! # What a trial proves, and what it does not
//!
//! A killed process loses what it had not yet given to the operating system. It does not lose what
//! the operating system had not yet given to the disk: a store that never calls `fsync` passes. For
//! that a store is tested at its own seam to the file system: [`Image`] says what a disk may hold
//! of a file, and [`Oracle`], which knows what was answered, does not care how the place was
//! damaged.

mod batches;
mod child;
mod harness;
mod image;
mod oracle;
mod trials;

pub use batches::batch;
pub use harness::CrashHarness;
pub use image::Image;
pub use oracle::{Fate, Oracle};
pub(crate) use oracle::{digests, parsed};
#[doc(hidden)]
pub use trials::run;

/// Makes a `#[test]` that kills and reopens a store, 200 times and for a minute at least.
///
/// ```text
/// dm_conformance::crash_suite!(MyHarness);
/// dm_conformance::crash_suite!(MyHarness, trials = 20, seconds = 0);
/// ```
///
/// `DM_CRASH_TRIALS` and `DM_CRASH_SECONDS` change both numbers for a run; `DM_SEED` makes the same trials again, as far
/// as the machine allows.
#[macro_export]
macro_rules! crash_suite {
    ($harness:ty) => {
        $crate::crash_suite!($harness, trials = 200, seconds = 60);
    };
    ($harness:ty, trials = $trials:literal, seconds = $seconds:literal) => {
        mod crash {
            #[allow(unused_imports, reason = "the harness may be named by any path")]
            use super::*;

            /// Its child processes run this test as well, and do the writing.
            #[test]
            fn what_was_answered_survives_a_kill_and_the_rest_is_whole_or_absent() {
                $crate::crash::run::<$harness>(
                    $crate::test_path!(what_was_answered_survives_a_kill_and_the_rest_is_whole_or_absent),
                    $trials,
                    $seconds,
                );
            }
        }
    };
}
