//! Answered commits survive a kill. These tests are a separate program, for the reason that
//! `it/main.rs` gives.

#![allow(missing_docs, unreachable_pub, dead_code, reason = "tests")]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "it/common/harness.rs"]
mod harness;

use harness::File;

dm_conformance::crash_suite!(File);
