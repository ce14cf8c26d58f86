//! Helpers of the store's own tests, beside those of the suite.

#![allow(unreachable_pub, reason = "tests")]

pub mod harness;

pub use dm_conformance::build::{append_at as append, at, conversation, open, register, user, who};
pub use dm_conformance::reads::whole_inbox;
