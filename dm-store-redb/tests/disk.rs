//! A full disk, failing syncs, and a second process.
//!
//! These tests are a separate program, for the reason that `it/main.rs` gives.

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
async fn below_the_reserve_new_data_is_refused_until_there_is_enough_space() {
    full::nearly_full::<Redb>(test_path!(below_the_reserve_new_data_is_refused_until_there_is_enough_space))
        .await;
}

#[tokio::test]
async fn a_store_recovers_from_a_full_disk_without_a_restart() {
    full::full::<Redb>(test_path!(a_store_recovers_from_a_full_disk_without_a_restart)).await;
}

#[tokio::test]
async fn a_store_recovers_from_one_failed_sync() {
    let syncs = Syncs { well: 0, failing: 1 };
    trial::syncs_fail::<Redb>(test_path!(a_store_recovers_from_one_failed_sync), syncs).await;
}

#[tokio::test]
async fn a_store_recovers_from_a_failed_second_sync_of_a_commit() {
    let syncs = Syncs { well: 1, failing: 1 };
    trial::syncs_fail::<Redb>(test_path!(a_store_recovers_from_a_failed_second_sync_of_a_commit), syncs)
        .await;
}

/// The second failure happens while the store opens its file again.
#[tokio::test]
async fn a_store_recovers_from_two_failed_syncs() {
    let syncs = Syncs { well: 0, failing: 2 };
    trial::syncs_fail::<Redb>(test_path!(a_store_recovers_from_two_failed_syncs), syncs).await;
}

#[tokio::test]
async fn a_second_process_is_refused_as_locked() {
    second::is_refused::<Redb>(test_path!(a_second_process_is_refused_as_locked)).await;
}
