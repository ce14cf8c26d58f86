//! What was answered survives a kill.

#![allow(missing_docs, unreachable_pub, dead_code, reason = "tests")]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/harness.rs"]
mod harness;

use harness::Folder;

dm_conformance::crash_suite!(Folder);
