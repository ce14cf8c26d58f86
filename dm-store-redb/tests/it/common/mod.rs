//! What the store's tests share, beside what the suite's own cases are written with.

#![allow(unreachable_pub, reason = "tests")]

pub mod harness;
pub mod older;

use dm_conformance::build;
pub use dm_conformance::build::{at, conversation, open, register, user, who};
use dm_core::store::{AppendMessage, InboxQuery, InboxSeq, OwnEntries, Principal, Write};

/// Appends message `id` to conversation `n` at a time.
pub fn append(n: u64, from: u64, id: u64, when: u64) -> Write {
    Write::AppendMessage(AppendMessage { sent_at: at(when), at: at(when), ..build::append(n, from, id) })
}

pub fn whole_inbox(who: Principal) -> InboxQuery {
    InboxQuery { who, after: InboxSeq::ZERO, own: OwnEntries::Include, limit: 10_000, max_bytes: usize::MAX }
}
