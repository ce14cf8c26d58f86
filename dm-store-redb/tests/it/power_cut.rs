//! Power cuts during and between commits: writes that were not synced are lost, torn, or kept in
//! any order.
//!
//! The disk is a storage backend of redb on an [`Image`]. At random moments the test copies the
//! content that a disk might have after a power cut. It then opens each copy and compares it with
//! the answered commits.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use dm_conformance::crash::{Fate, Image, Oracle};
use dm_conformance::{Chance, Harness};
use dm_core::store::{Store as _, StoreError};
use dm_store_redb::{Recovery, RedbConfig, RedbStore};
use redb::{Database, StorageBackend};

/// The number of batches in a test.
const BATCHES: u64 = 60;

/// A disk whose power can be cut.
#[derive(Clone, Debug)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    image: Image,
    /// The number of syncs.
    syncs: u64,
    chance: Chance,
    /// Contents that the disk might have after a power cut during the current commit.
    cuts: Vec<Vec<u8>>,
}

impl State {
    /// A content that the disk might have after a power cut now.
    fn cut(&mut self) -> Vec<u8> {
        self.image.cut(&mut self.chance)
    }

    /// With a chance of one in six, records a content after a power cut now.
    fn maybe_cut(&mut self) {
        if self.chance.below(6) == 0 {
            let cut = self.cut();
            self.cuts.push(cut);
        }
    }
}

impl Disk {
    fn holding(image: Vec<u8>, seed: u64) -> Self {
        let (image, chance) = (Image::of(image), Chance::new(seed, 0));
        let state = State { image, syncs: 0, chance, cuts: Vec::new() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Removes and returns the recorded contents.
    fn take_cuts(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0.lock().unwrap().cuts)
    }

    /// A content that the disk might have after a power cut now.
    fn cut(&self) -> Vec<u8> {
        self.0.lock().unwrap().cut()
    }

    fn open(&self, recovery: Recovery) -> Result<RedbStore, StoreError> {
        let mut config = RedbConfig::default();
        config.recovery = recovery;
        config.recent_entries = NonZeroUsize::new(24).unwrap();
        let database = Database::builder().set_cache_size(1024 * 1024).create_with_backend(self.clone());
        RedbStore::from_database(Arc::new(database.unwrap()), &config)
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().image.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        let at = offset as usize;
        out.copy_from_slice(&state.image.bytes()[at..at + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.image.set_len(len as usize);
        state.maybe_cut();
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        // A power cut during the sync.
        state.maybe_cut();
        state.image.sync();
        state.syncs += 1;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.image.write(offset as usize, data);
        state.maybe_cut();
        Ok(())
    }
}

impl Harness for Disk {
    type Store = RedbStore;

    async fn fresh() -> Self {
        Self::holding(Vec::new(), 7)
    }

    async fn open(&self) -> Result<RedbStore, StoreError> {
        Self::open(self, Recovery::Quick)
    }

    fn syncs(&self) -> Option<u64> {
        Some(self.0.lock().unwrap().syncs)
    }
}

#[test]
fn each_commit_is_synced_before_it_is_answered() {
    let cases = dm_conformance::cases::<Disk>();
    let case = cases.iter().find(|case| case.name == "each_commit_is_synced_before_it_is_answered");
    case.unwrap().run();
}

/// Commits batches, and checks the contents after power cuts during and after each commit.
async fn cut_the_power(recovery: Recovery) {
    let (disk, mut oracle) = (Disk::holding(Vec::new(), 7), Oracle::new(7));
    let store = disk.open(recovery).unwrap();
    // No data must survive a power cut before the first commit is answered.
    disk.take_cuts();
    let (mut trials, mut whole) = (0, 0);
    for _ in 0..BATCHES {
        let writes = oracle.ask();
        let asked = oracle.clone();
        let outcomes = store.commit(writes).await.unwrap();
        oracle.answered(&outcomes).unwrap();
        let during = disk.take_cuts().into_iter().map(|cut| (cut, asked.clone()));
        let after = [(disk.cut(), oracle.clone())];
        for (image, mut judge) in during.chain(after) {
            let reopened = Disk::holding(image, trials).open(recovery);
            let reopened = reopened.unwrap_or_else(|error| panic!("after batch {}: {error:?}", judge.done()));
            let fate = judge.judge(&reopened).await.unwrap_or_else(|what| panic!("{what}"));
            trials += 1;
            whole += u64::from(fate == Fate::Whole);
        }
    }
    println!(
        "{trials} power cuts in and after {BATCHES} commits: none lost, none in part; {whole} times the commit that \
         was running was there as a whole"
    );
    assert!(trials > BATCHES && whole > 0, "the cuts came at too few moments: {trials}, {whole}");
}

#[tokio::test]
async fn acknowledged_writes_survive_a_power_cut() {
    cut_the_power(Recovery::Quick).await;
}

#[tokio::test]
async fn acknowledged_writes_survive_a_power_cut_without_quick_recovery() {
    cut_the_power(Recovery::Walk).await;
}

/// Shows that the trials can fail: this disk reports a sync that it did not do.
#[tokio::test]
#[should_panic(expected = "answered batches")]
async fn a_disk_that_does_not_sync_fails_the_test() {
    let (disk, mut oracle) = (Disk::holding(Vec::new(), 7), Oracle::new(7));
    let store = disk.open(Recovery::Quick).unwrap();
    let before = disk.0.lock().unwrap().image.bytes().to_vec();
    let writes = oracle.ask();
    oracle.answered(&store.commit(writes).await.unwrap()).unwrap();
    let reopened = Disk::holding(before, 1).open(Recovery::Quick).unwrap();
    oracle.judge(&reopened).await.unwrap_or_else(|what| panic!("{what}"));
}
