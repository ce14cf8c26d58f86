//! A full disk, failing syncs, power cuts, and a second process.
//!
//! These tests are a separate program, for the reason that `it/main.rs` gives.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use bytes::Bytes;
use dm_conformance::build::{append, open_from, who};
use dm_conformance::test_path;
use dm_core::store::{AppendMessage, Ciphertext, Store as _, StoreError};
use dm_store_fjall::{FjallConfig, FjallStore};
use dm_test_disk::{DiskHarness, LATER, Syncs, full, second, trial};

struct Fjall;

impl DiskHarness for Fjall {
    type Store = FjallStore;

    fn open(path: &Path, reserve_bytes: u64) -> Result<FjallStore, StoreError> {
        let mut config = FjallConfig::default();
        config.reserve_bytes = reserve_bytes;
        FjallStore::open_with(path, &config)
    }
}

#[tokio::test]
async fn below_the_reserve_new_data_is_refused_until_there_is_enough_space() {
    full::nearly_full::<Fjall>(test_path!(below_the_reserve_new_data_is_refused_until_there_is_enough_space))
        .await;
}

#[tokio::test]
async fn a_store_recovers_from_a_full_disk_without_a_restart() {
    full::full::<Fjall>(test_path!(a_store_recovers_from_a_full_disk_without_a_restart)).await;
}

#[tokio::test]
async fn a_store_recovers_from_one_failed_sync() {
    let syncs = Syncs { well: 0, failing: 1 };
    trial::syncs_fail::<Fjall>(test_path!(a_store_recovers_from_one_failed_sync), syncs).await;
}

/// The second sync fails while the store reopens its folder.
#[tokio::test]
async fn a_store_recovers_from_two_failed_syncs() {
    let syncs = Syncs { well: 0, failing: 2 };
    trial::syncs_fail::<Fjall>(test_path!(a_store_recovers_from_two_failed_syncs), syncs).await;
}

#[tokio::test]
async fn a_second_process_is_refused_as_locked() {
    second::is_refused::<Fjall>(test_path!(a_second_process_is_refused_as_locked)).await;
}

/// A store whose memory tables are so small that they are written to files every few batches.
struct Flushing;

impl DiskHarness for Flushing {
    type Store = FjallStore;

    fn open(path: &Path, reserve_bytes: u64) -> Result<FjallStore, StoreError> {
        let mut config = FjallConfig::default();
        config.reserve_bytes = reserve_bytes;
        config.memtable_bytes = FjallConfig::MIN_MEMTABLE_BYTES;
        FjallStore::open_with(path, &config)
    }

    async fn between(store: &FjallStore, n: u64) {
        if n == 0 {
            store.commit(vec![open_from(1_000, who(1_000), 1_001, LATER)]).await.unwrap();
        }
        let payload = Bytes::from(vec![1; 48 * 1024]);
        let appends = (0..4).map(|m| {
            let ciphertext = Ciphertext::new(payload.clone(), &[7; 24], None, None).unwrap();
            let append = append(1_000, 1_000, 1_000_000 + 4 * n + m);
            AppendMessage { at: LATER, sent_at: LATER, ciphertext, ..append }.into()
        });
        store.commit(appends.collect()).await.unwrap();
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_a_power_cut() {
    trial::power_is_cut::<Flushing>(test_path!(acknowledged_writes_survive_a_power_cut)).await;
}
