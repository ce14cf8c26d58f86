//! Helpers of the store's tests. Most of them come from the conformance suite.

#![allow(unreachable_pub, reason = "tests")]

pub mod harness;
pub mod older;

pub use dm_conformance::build::{append_at as append, conversation, expire, open, register, user, who};
pub use dm_conformance::outcome::answer;
pub use dm_conformance::reads::{inbox_numbers as numbers, whole_inbox};
