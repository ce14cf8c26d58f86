//! Helpers of the store's own tests, beside those of the suite.

#![allow(unreachable_pub, reason = "tests")]

pub mod harness;

use dm_conformance::build;
pub use dm_conformance::build::{at, conversation, open, register, user, who};
use dm_core::store::{AppendMessage, InboxQuery, InboxSeq, OwnEntries, Principal, Write};

/// A message with number `id` to conversation `n`, at a time.
pub fn append(n: u64, from: u64, id: u64, when: u64) -> Write {
    Write::AppendMessage(AppendMessage { sent_at: at(when), at: at(when), ..build::append(n, from, id) })
}

/// A query for all entries of an inbox on one page.
pub fn whole_inbox(who: Principal) -> InboxQuery {
    InboxQuery { who, after: InboxSeq::ZERO, own: OwnEntries::Include, limit: 10_000, max_bytes: usize::MAX }
}
