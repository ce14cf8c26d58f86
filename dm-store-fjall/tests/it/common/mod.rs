//! Helpers of the store's tests, most of them those of the conformance suite's own cases.

#![allow(unreachable_pub, reason = "tests")]

pub mod harness;

pub use dm_conformance::build::{append_at as append, at, conversation, open, register, user, who};
pub use dm_conformance::reads::{inbox_numbers as numbers, whole_inbox};
