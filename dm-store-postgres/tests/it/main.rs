//! The conformance suite, which tests the contract of all stores, and tests of this store's own
//! properties. All modules are one program, because each further program would link the PostgreSQL
//! client and the suite once more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod abandoned_reads;
mod common;
mod conformance;
mod failover;
mod fixtures;
mod lost_connections;
mod nodes;
mod records;
mod schema_name;
mod tls;
