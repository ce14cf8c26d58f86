//! Tests of what is particular to redb, and the conformance suite. All modules are one program:
//! each further program would link redb and the suite once more.
//!
//! `crash.rs` and `disk.rs` are programs of their own, because their tests start processes. A
//! process that is being started inherits for a moment all open files of its parent, and with them
//! locks that another test of the same program has just released.

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
