//! The store of the guide "Write a store" keeps the contract. `guide_crash.rs` kills its process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod harness;
mod store;
mod torn;

dm_conformance::suite!(harness::LogHarness);
