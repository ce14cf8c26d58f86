//! The newest numbers of users and conversations take no more memory than
//! [`SqliteConfig::heads_bytes`] allows.
//!
//! This test is a program of its own, because its allocator counts the memory of the whole process.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::alloc::System;
use std::path::Path;

use cap::Cap;
use dm_conformance::build::{append, open};
use dm_core::store::Store as _;
use dm_store_sqlite::{SqliteConfig, SqliteStore};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const CONVERSATIONS: u64 = 20_000;
const BATCH: u64 = 500;

/// The memory that a store has allocated after one message in each of many conversations between
/// different users, in bytes. `heads` is the number of users and of conversations to keep in
/// memory.
async fn store_bytes(path: &Path, heads: usize) -> usize {
    let before = ALLOCATOR.allocated();
    let mut config = SqliteConfig::default();
    config.heads_bytes = heads * SqliteConfig::HEAD_BYTES;
    let store = SqliteStore::open_with(path, &config).unwrap();
    for first in (0..CONVERSATIONS).step_by(usize::try_from(BATCH).unwrap()) {
        let batch =
            (first..first + BATCH).flat_map(|n| [open(n, 2 * n, 2 * n + 1), append(n, 2 * n, n).into()]);
        store.commit(batch.collect()).await.unwrap();
    }
    // With few heads, the first users were dropped from memory. A message to one of them makes the
    // store read and keep the newest numbers of all rows in runs.
    store.commit(vec![append(0, 0, CONVERSATIONS).into()]).await.unwrap();
    ALLOCATOR.allocated() - before
}

#[tokio::test]
async fn newest_numbers_take_no_more_memory_than_configured() {
    let folder = tempfile::tempdir().unwrap();
    let heads = usize::try_from(CONVERSATIONS).unwrap();
    let few_heads_bytes = store_bytes(&folder.path().join("without"), 1).await;
    let many_heads_bytes = store_bytes(&folder.path().join("with"), heads).await;
    let (used_bytes, allowed_bytes) = (many_heads_bytes - few_heads_bytes, heads * SqliteConfig::HEAD_BYTES);
    assert!(used_bytes <= allowed_bytes, "{used_bytes} of {allowed_bytes} bytes");
    assert!(
        used_bytes * 3 > allowed_bytes * 2,
        "the configuration says much more than they take: {used_bytes} of {allowed_bytes} bytes"
    );
}
