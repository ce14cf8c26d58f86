//! The store of the guide "Write a store" keeps the contract. That it loses nothing when its process is killed is
//! tried in `guide_crash.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod harness;
mod store;
mod torn;

dm_conformance::suite!(harness::InAFolder);
