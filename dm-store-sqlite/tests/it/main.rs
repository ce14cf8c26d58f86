//! The conformance suite, and tests of this store's own properties. All modules are one program,
//! because each further program would link SQLite and the suite once more.
//!
//! Some tests start processes. SQLite's locks belong to one process and are not inherited, so that
//! a new process holds no lock of another test.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;
mod conformance;
mod damaged_files;
#[cfg(target_os = "linux")]
mod disk;
mod failed_batches;
mod files;
mod fixtures;
mod lists;
mod long_inboxes;
mod names;
mod power_cut;
#[cfg(unix)]
mod write_errors;
