//! The conformance suite, and tests of this store's own properties. All modules are one program,
//! because each further program would link redb and the suite once more.
//!
//! `crash.rs` and `disk.rs` are programs of their own, because their tests start processes. While a
//! process starts, it has all open files of its parent for a moment. It then also holds file locks
//! that another test of the same program has just released.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::cast_possible_truncation, reason = "a file of a test fits into memory")]

mod common;
mod conformance;
mod files;
mod long_inboxes;
mod migration;
mod names;
mod power_cut;
mod runs;
