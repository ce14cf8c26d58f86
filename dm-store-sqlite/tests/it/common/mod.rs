//! What the store's tests share, beside what the suite's own cases are written with.

#![allow(unreachable_pub, reason = "tests")]

pub mod harness;

pub use dm_conformance::build::{append_at as append, at, conversation, open, register, user, who};
pub use dm_conformance::reads::whole_inbox;
