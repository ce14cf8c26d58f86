//! The conformance suite, and tests of this store's own properties. All modules are one program,
//! because each program links redb and the suite, which takes long.
//!
//! `crash.rs` and `disk.rs` are separate programs, because their tests start processes. A new
//! process inherits all open files of its parent for a moment, and with them file locks that
//! another test of the same program has just released.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::cast_possible_truncation, reason = "a file of a test fits into memory")]

mod common;
mod conformance;
mod files;
mod fixtures;
mod long_inboxes;
mod migration;
mod names;
mod power_cut;
mod records;
mod runs;
