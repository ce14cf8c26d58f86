//! Tests of the parts that only this store has, and the conformance suite. All modules are one
//! program, because each program links fjall and the suite, which takes long.
//!
//! `crash.rs` and `disk.rs` are separate programs, because their tests start processes. A new
//! process inherits all open files of its parent for a moment, and with them locks that another
//! test of the same program has just released.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;
mod conformance;
mod files;
mod fixtures;
mod names;
mod notes;
mod records;
