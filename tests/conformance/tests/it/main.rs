//! The suite tests the whole contract, passes stores that keep it, and fails stores that do not.
//! All modules are one program, because each further program links the suite again.
//!
//! Three programs are separate: `broken.rs` replaces the panic hook of its process, and `guide` and
//! `guide_crash.rs` are compiled as the documentation shows them.

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
mod wrong_records;
