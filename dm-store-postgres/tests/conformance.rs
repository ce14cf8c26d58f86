//! The store keeps the contract, clause by clause.

#![allow(missing_docs, unreachable_pub, dead_code, reason = "tests")]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/harness.rs"]
mod harness;

use harness::Place;

dm_conformance::suite!(Place);
