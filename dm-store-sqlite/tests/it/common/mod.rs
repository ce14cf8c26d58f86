//! Helpers of the store's own tests, in addition to those of the conformance suite.

#![allow(unreachable_pub, reason = "tests")]

pub mod harness;

pub use dm_conformance::build::{append_at as append, at, conversation, open, register, user, who};
pub use dm_conformance::reads::whole_inbox;
