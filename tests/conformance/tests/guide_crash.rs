//! The store of the guide "Write a store" keeps every answered batch when its process is killed.

#![allow(clippy::expect_used, reason = "tests")]

#[path = "guide/harness.rs"]
mod harness;
#[path = "guide/store/mod.rs"]
mod store;

dm_conformance::crash_suite!(harness::LogHarness, trials = 20, seconds = 0);
