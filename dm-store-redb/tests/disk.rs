//! A full disk, failing syncs, and a second process.
//!
//! These tests are a program of their own, for the reason given in `it/main.rs`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use dm_conformance::test_path;
use dm_core::store::StoreError;
use dm_store_redb::{RedbConfig, RedbStore};
use dm_test_disk::{DiskHarness, Syncs, full, second, trial};

struct Redb;

impl DiskHarness for Redb {
    type Store = RedbStore;

    fn open(path: &Path, reserve_bytes: u64) -> Result<RedbStore, StoreError> {
        let mut config = RedbConfig::default();
        config.reserve_bytes = reserve_bytes;
        RedbStore::open_with(path, &config)
    }
}

#[tokio::test]
async fn below_its_reserve_it_refuses_what_takes_room_and_stores_again_when_there_is_room() {
    full::nearly_full::<Redb>(test_path!(
        below_its_reserve_it_refuses_what_takes_room_and_stores_again_when_there_is_room
    ))
    .await;
}

#[tokio::test]
async fn a_full_disk_is_recovered_from_without_a_restart() {
    full::full::<Redb>(test_path!(a_full_disk_is_recovered_from_without_a_restart)).await;
}

#[tokio::test]
async fn a_sync_that_fails_once_is_recovered_from() {
    let syncs = Syncs { well: 0, failing: 1 };
    trial::syncs_fail::<Redb>(test_path!(a_sync_that_fails_once_is_recovered_from), syncs).await;
}

#[tokio::test]
async fn a_commits_second_sync_that_fails_once_is_recovered_from() {
    let syncs = Syncs { well: 1, failing: 1 };
    trial::syncs_fail::<Redb>(test_path!(a_commits_second_sync_that_fails_once_is_recovered_from), syncs)
        .await;
}

/// The second failure happens while the store opens its file again.
#[tokio::test]
async fn syncs_that_fail_twice_are_recovered_from() {
    let syncs = Syncs { well: 0, failing: 2 };
    trial::syncs_fail::<Redb>(test_path!(syncs_that_fail_twice_are_recovered_from), syncs).await;
}

#[tokio::test]
async fn a_second_process_is_refused_as_locked() {
    second::is_refused::<Redb>(test_path!(a_second_process_is_refused_as_locked)).await;
}
