//! Tests with nodes on one bus and one store. All modules are one program, because each program
//! links the client of the bus, which takes long.
//!
//! `logs.rs` is a separate program, because it captures the log of the whole process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod admission;
mod common;
mod database;
mod delivery;
mod fake_node;
mod forgeries;
mod orders;
mod outages;
mod presence;
mod replays;
mod subscriptions;
mod takeover;
