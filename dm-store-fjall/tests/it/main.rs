//! The engine's own matters, and the conformance suite. All modules are one program: each further
//! program would link fjall and the suite once more.
//!
//! `crash.rs` and `disk.rs` are programs of their own, since their tests start processes. A process
//! that is being started holds for a moment all files of the one that starts it, and with them the
//! locks that a test of the same program has just given up.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;
mod conformance;
mod files;
mod names;
mod notes;
