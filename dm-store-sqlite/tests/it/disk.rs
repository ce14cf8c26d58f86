//! A full disk, a disk whose syncs fail, and a file to which two processes write.

use std::path::Path;

use dm_conformance::test_path;
use dm_core::store::StoreError;
use dm_store_sqlite::{SqliteConfig, SqliteStore};
use dm_test_disk::{DiskHarness, Syncs, full, second, trial};

struct Sqlite;

impl DiskHarness for Sqlite {
    type Store = SqliteStore;

    fn open(path: &Path, reserve_bytes: u64) -> Result<SqliteStore, StoreError> {
        let mut config = SqliteConfig::default();
        config.reserve_bytes = reserve_bytes;
        SqliteStore::open_with(path, &config)
    }
}

#[tokio::test]
async fn below_the_reserve_new_data_is_refused_until_there_is_enough_space() {
    full::nearly_full::<Sqlite>(test_path!(
        below_the_reserve_new_data_is_refused_until_there_is_enough_space
    ))
    .await;
}

#[tokio::test]
async fn two_processes_that_write_at_once_wait_for_each_other() {
    second::shares::<Sqlite>(test_path!(two_processes_that_write_at_once_wait_for_each_other)).await;
}

#[tokio::test]
async fn a_full_disk_is_recovered_from_without_a_restart() {
    full::full::<Sqlite>(test_path!(a_full_disk_is_recovered_from_without_a_restart)).await;
}

#[tokio::test]
async fn a_sync_that_fails_once_is_recovered_from() {
    let syncs = Syncs { well: 0, failing: 1 };
    trial::syncs_fail::<Sqlite>(test_path!(a_sync_that_fails_once_is_recovered_from), syncs).await;
}

/// The second sync fails while the store closes its file and opens it again.
#[tokio::test]
async fn syncs_that_fail_twice_are_recovered_from() {
    let syncs = Syncs { well: 0, failing: 2 };
    trial::syncs_fail::<Sqlite>(test_path!(syncs_that_fail_twice_are_recovered_from), syncs).await;
}
