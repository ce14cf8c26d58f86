//! What the suite itself promises: it tests the whole contract, passes stores that keep it, and
//! fails stores that do not. All modules are one program: each further program would link the suite
//! once more.
//!
//! Three are programs of their own: `broken.rs` silences the panics of its process, `guide` is
//! compiled as the documentation shows it, and so is `guide_crash.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod contract;
mod endless;
mod failures;
#[path = "../guide/harness.rs"]
mod harness;
mod memory;
mod oracle;
mod processes;
mod replay;
#[path = "../guide/store/mod.rs"]
mod store;
