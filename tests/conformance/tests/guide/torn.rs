//! What is this store's own: the last record torn by a power cut, and damage to the file.

use std::path::Path;

use dm_conformance::crash::{Answers, Fate, Oracle, Wrong, batch};
use dm_core::{MemoryStore, Store, StoreErrorKind};

use crate::store;

const SEED: u64 = 3;
const ANSWERED: u64 = 8;

/// Some answered batches, and one more that was not.
async fn oracle() -> Oracle {
    let (mut oracle, model) = (Oracle::new(), MemoryStore::new());
    for n in 0..ANSWERED {
        oracle.asking(&batch(SEED, n));
        let outcomes = model.commit(batch(SEED, n)).await.unwrap();
        oracle.answered(&Answers::of(&outcomes)).await.unwrap();
    }
    oracle.asking(&batch(SEED, ANSWERED));
    oracle
}

/// A file with all of these batches, and its length before the last.
async fn written(folder: &Path) -> (Vec<u8>, usize) {
    let path = folder.join("dm.log");
    let store = store::open(&path).unwrap();
    for n in 0..ANSWERED {
        store.commit(batch(SEED, n)).await.unwrap();
    }
    let synced = std::fs::read(&path).unwrap().len();
    store.commit(batch(SEED, ANSWERED)).await.unwrap();
    (std::fs::read(&path).unwrap(), synced)
}

#[tokio::test]
async fn a_torn_last_record_is_cut_off_wherever_it_is_torn() {
    let folder = tempfile::tempdir().unwrap();
    let (file, synced) = written(folder.path()).await;
    let path = folder.path().join("torn.log");
    for end in (synced..file.len()).step_by(61).chain([file.len() - 1, file.len()]) {
        for zeros in [0, 1, 4_096] {
            let mut oracle = oracle().await;
            let mut torn = file[..end].to_vec();
            torn.resize(end + zeros, 0);
            std::fs::write(&path, torn).unwrap();
            let store = store::open(&path).unwrap();
            let fate = oracle.judge(&store).await.unwrap();
            assert_eq!(fate == Fate::Whole, end == file.len());
            oracle.repeat(&store).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_flipped_bit_is_corrupt_or_leaves_what_was_committed_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = written(folder.path()).await;
    let oracle = oracle().await;
    let path = folder.path().join("flipped.log");
    for at in (0..file.len()).step_by(53) {
        let mut flipped = file.clone();
        flipped[at] ^= 1 << (at % 8);
        std::fs::write(&path, flipped).unwrap();
        let prefix = match store::open(&path) {
            Ok(store) => oracle.prefix(&store).await,
            Err(error) => Err(error.into()),
        };
        if let Err(wrong) = prefix {
            assert!(
                matches!(&wrong, Wrong::Failed(error) if error.kind() == StoreErrorKind::Corrupt),
                "at {at}: {wrong}"
            );
        }
    }
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
