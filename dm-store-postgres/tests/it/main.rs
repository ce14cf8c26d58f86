//! The conformance suite, and tests of what only this store has. All modules are one program: each
//! further program would link the client and the suite once more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod abandoned_reads;
mod common;
mod conformance;
mod failover;
mod lost_connections;
mod nodes;
mod schema_name;
mod tls;
