//! The conformance suite, and tests of what only SQLite has. All modules are one program: each
//! further program would link SQLite and the suite once more.
//!
//! Some tests start processes. SQLite's locks belong to a process and are not inherited, so a
//! process that is being started holds no lock of another test.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;
mod conformance;
mod damaged_files;
#[cfg(target_os = "linux")]
mod disk;
mod failed_batches;
mod files;
mod lists;
mod long_inboxes;
mod names;
mod power_cut;
#[cfg(unix)]
mod write_errors;
