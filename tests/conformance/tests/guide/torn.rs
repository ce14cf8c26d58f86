//! Tests of this store alone: a torn last frame, a damaged file, and a second process.

use std::path::Path;

use dm_conformance::crash::{Fate, Oracle};
use dm_core::store::{Store, StoreErrorKind};

use crate::store;

/// Writes some answered batches and an unanswered one. Returns the file, its length before the last
/// batch, and the oracle.
async fn written(path: &Path) -> (Vec<u8>, usize, Oracle) {
    let mut oracle = Oracle::new(3);
    let store = store::open(path).unwrap();
    for _ in 0..8 {
        let outcomes = store.commit(oracle.ask()).await.unwrap();
        oracle.answered(&outcomes).unwrap();
    }
    let synced = std::fs::read(path).unwrap().len();
    store.commit(oracle.ask()).await.unwrap();
    (std::fs::read(path).unwrap(), synced, oracle)
}

#[tokio::test]
async fn a_torn_last_frame_is_cut_off_wherever_it_is_torn() {
    let folder = tempfile::tempdir().unwrap();
    let (file, synced, oracle) = written(&folder.path().join("dm.log")).await;
    let path = folder.path().join("torn.log");
    for end in (synced..file.len()).step_by(61).chain([file.len() - 1, file.len()]) {
        for zeros in [0, 1, 4_096] {
            let mut torn = file[..end].to_vec();
            torn.resize(end + zeros, 0);
            std::fs::write(&path, &torn).unwrap();
            let mut oracle = oracle.clone();
            let fate = oracle.judge(&store::open(&path).unwrap()).await.unwrap();
            // A frame ends with zeros, so some of the zeros may be its end.
            assert_eq!(fate == Fate::Whole, torn.starts_with(&file));
            // The client retries, and the batch is stored once.
            let store = store::open(&path).unwrap();
            let outcomes = store.commit(oracle.ask()).await.unwrap();
            oracle.answered(&outcomes).unwrap();
            drop(store);
            oracle.judge(&store::open(&path).unwrap()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_flipped_bit_is_corrupt_or_leaves_what_was_committed_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _, oracle) = written(&folder.path().join("dm.log")).await;
    let path = folder.path().join("flipped.log");
    let mut refused = 0;
    for at in (0..file.len()).step_by(53) {
        let mut flipped = file.clone();
        flipped[at] ^= 1 << (at % 8);
        std::fs::write(&path, flipped).unwrap();
        match store::open(&path) {
            Ok(store) => _ = oracle.judge_any(&store).await.unwrap_or_else(|what| panic!("at {at}: {what}")),
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Corrupt, "at {at}: {error:?}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "no damage was seen");
}

#[tokio::test]
async fn a_second_handle_is_refused_as_locked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.log");
    let first = store::open(&path).unwrap();
    assert_eq!(store::open(&path).map(drop).unwrap_err().kind(), StoreErrorKind::Locked);
    drop(first);
    store::open(&path).unwrap();
}
