//! The list of a user with many conversations, whose newest messages lie in several trees.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::num::NonZeroUsize;

use dm_conformance::lists::{self, Last};
use dm_store_sqlite::{SqliteConfig, SqliteStore};

/// A store that keeps so many entries in small trees.
async fn check(recent_entries: usize, messages: u64, last: Last) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = SqliteConfig::default();
    config.recent_entries = NonZeroUsize::new(recent_entries).unwrap();
    let store = SqliteStore::open_with(folder.path().join("dm.db"), &config).unwrap();
    lists::check(&store, 700, messages, last).await;
}

#[tokio::test]
async fn few_rows_are_recent() {
    check(400, 2_000, Last { ahead: Some(700), right: Some(900) }).await;
}

/// Runs of 1,250 entries, half of them the user's: a page that is filled from the newest runs leaves the others out.
#[tokio::test]
async fn older_runs_are_left_out() {
    check(20_000, 4_000, Last::default()).await;
}

#[tokio::test]
async fn older_runs_are_not_left_out_where_a_clock_was_ahead() {
    check(20_000, 4_000, Last { ahead: Some(1_000), right: None }).await;
}

/// Three generations: in the first, which is moved, a clock was ahead; the second, which is being moved, and left out, has
/// the newest message of that conversation.
#[tokio::test]
async fn what_is_left_out_is_looked_at_where_it_tells() {
    check(20_000, 20_900, Last { ahead: Some(100), right: Some(10_500) }).await;
}
