//! A process that writes is killed: nothing that it answered is lost.

#![allow(clippy::expect_used, reason = "tests")]

#[path = "common/harness.rs"]
mod harness;

dm_conformance::crash_suite!(harness::InAFolder);
