//! Two processes have one file open and write at once.

#![allow(missing_docs, unreachable_pub, dead_code, reason = "tests")]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/harness.rs"]
mod harness;

use harness::File;

dm_conformance::processes_suite!(File);
