//! Two processes have one database open and write at once, as two nodes do.

#![allow(missing_docs, unreachable_pub, dead_code, reason = "tests")]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/harness.rs"]
mod harness;

use harness::Place;

dm_conformance::processes_suite!(Place);
