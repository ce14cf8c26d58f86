//! Crash trials: a killed store keeps every answered batch, and each other batch as a whole or not
//! at all.
//!
//! A child process commits one batch after the other and reports each request and each answer on a
//! pipe. The parent kills it with SIGKILL at a random point and opens the store itself. It compares
//! all data that it can read with the [`Model`](crate::model::Model) of the answered batches, with
//! or without the one batch that was requested and not answered. The next child continues at the
//! same storage location. It starts with that batch, as a client that retries would.
//!
//! A child is killed while it opens the store, a random time after a request, right after an
//! answer, or while it holds back the answer to a finished commit. After a third of the kills, the
//! next process is also killed at a random moment while it opens the store, because recovery can
//! crash as well.
//!
//! The trials need a test program of their own. A child process inherits, for a moment, the open
//! files of its parent, and with them file locks that another test of the same program has just
//! released. Stores without file locks, and stores whose locks belong to a process and are not
//! inherited, as SQLite's, need no separate program.
//!
//! # What a trial proves and what it does not
//!
//! A killed process loses data that it had not yet given to the operating system. It does not lose
//! data that the operating system had not yet written to the disk: a store that never calls `fsync`
//! passes. Test syncs at the store's own interface to the file system: [`Image`] gives the contents
//! that a disk may have of a file, and [`Oracle`] compares a store with the answered batches, for
//! any kind of damage.

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

/// Makes a `#[test]` that kills and reopens a store, at least 200 times and for at least a minute.
///
/// ```text
/// dm_conformance::crash_suite!(MyHarness);
/// dm_conformance::crash_suite!(MyHarness, trials = 20, seconds = 0);
/// ```
///
/// `DM_CRASH_TRIALS` and `DM_CRASH_SECONDS` change both numbers for a run. `DM_SEED` repeats the
/// trials of a seed, as far as the timing of the machine allows.
#[macro_export]
macro_rules! crash_suite {
    ($harness:ty) => {
        $crate::crash_suite!($harness, trials = 200, seconds = 60);
    };
    ($harness:ty, trials = $trials:literal, seconds = $seconds:literal) => {
        mod crash {
            #[allow(unused_imports, reason = "the harness may be named by any path")]
            use super::*;

            /// The child processes run this test as well; they do the writing.
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
