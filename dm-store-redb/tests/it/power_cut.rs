//! The power is cut at every kind of moment: writes that were not synced are lost, torn, or kept in any order.
//!
//! The disk is redb's own seam to it. At moments by chance, in and between commits, a copy is made of what a disk might
//! then hold: everything that was synced, and of what was written since then any part. Each copy is opened and judged.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use dm_conformance::Harness;
use dm_conformance::crash::{Fate, Oracle};
use dm_core::{Store as _, StoreError};
use dm_store_redb::{Recovery, RedbConfig, RedbStore};
use redb::{Database, StorageBackend};

/// What a disk writes as a whole.
const SECTOR: usize = 512;
/// Batches written.
const BATCHES: u64 = 60;

/// A disk whose power can be cut.
#[derive(Clone, Debug)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// As the program sees it.
    image: Vec<u8>,
    /// As it was when it was last synced.
    synced: Vec<u8>,
    /// What was done since then.
    since: Vec<Change>,
    /// How often it was synced.
    syncs: u64,
    chance: u64,
    /// Copies of what the disk might have held at moments of this commit.
    cuts: Vec<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Change {
    Length(usize),
    Sector(usize, Vec<u8>),
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Length(length) => image.resize(*length, 0),
            Self::Sector(at, bytes) => {
                if image.len() < at + bytes.len() {
                    image.resize(at + bytes.len(), 0);
                }
                image[*at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
    }
}

impl State {
    fn below(&mut self, bound: usize) -> usize {
        // SplitMix64.
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    /// What the disk might hold if the power were cut now.
    fn cut(&mut self) -> Vec<u8> {
        let mut left = self.since.clone();
        // A disk may write in any order, so that any part of it may be there.
        for n in (1..left.len()).rev() {
            let other = self.below(n + 1);
            left.swap(n, other);
        }
        // From nothing of it to all of it.
        let kept = self.below(left.len() + 1);
        let mut image = self.synced.clone();
        left[..kept].iter().for_each(|change| change.apply(&mut image));
        image
    }

    fn maybe_cut(&mut self) {
        if self.below(6) == 0 {
            let cut = self.cut();
            self.cuts.push(cut);
        }
    }
}

impl Disk {
    fn holding(image: Vec<u8>, seed: u64) -> Self {
        let state = State {
            synced: image.clone(),
            image,
            since: Vec::new(),
            syncs: 0,
            chance: seed,
            cuts: Vec::new(),
        };
        Self(Arc::new(Mutex::new(state)))
    }

    fn take_cuts(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0.lock().unwrap().cuts)
    }

    /// A copy of what it might hold now.
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
        Ok(self.0.lock().unwrap().image.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        let at = offset as usize;
        out.copy_from_slice(&state.image[at..at + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.image.resize(len as usize, 0);
        state.since.push(Change::Length(len as usize));
        state.maybe_cut();
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        // In the middle of it, too.
        state.maybe_cut();
        state.synced = state.image.clone();
        state.syncs += 1;
        state.since.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let mut at = offset as usize;
        Change::Sector(at, data.to_vec()).apply(&mut state.image);
        let mut rest = data;
        while !rest.is_empty() {
            // To the next border of a sector: a write is torn there.
            let (now, later) = rest.split_at((SECTOR - at % SECTOR).min(rest.len()));
            state.since.push(Change::Sector(at, now.to_vec()));
            at += now.len();
            rest = later;
        }
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

async fn cut_the_power(recovery: Recovery) {
    let (disk, mut oracle) = (Disk::holding(Vec::new(), 7), Oracle::new(7));
    let store = disk.open(recovery).unwrap();
    // Before the first commit was answered nothing is promised.
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
        "{trials} power cuts in and after {BATCHES} commits: none lost, none in part; {whole} times the commit that was \
         under way was there as a whole"
    );
    assert!(trials > BATCHES && whole > 0, "the cuts came at too few moments: {trials}, {whole}");
}

#[tokio::test]
async fn what_was_answered_survives_a_power_cut() {
    cut_the_power(Recovery::Quick).await;
}

#[tokio::test]
async fn what_was_answered_survives_a_power_cut_without_quick_recovery() {
    cut_the_power(Recovery::Walk).await;
}

/// That the trials can fail: a disk that says it synced and did not.
#[tokio::test]
#[should_panic(expected = "answered batches")]
async fn a_disk_that_lies_is_found_out() {
    let (disk, mut oracle) = (Disk::holding(Vec::new(), 7), Oracle::new(7));
    let store = disk.open(Recovery::Quick).unwrap();
    let before = disk.0.lock().unwrap().image.clone();
    let writes = oracle.ask();
    oracle.answered(&store.commit(writes).await.unwrap()).unwrap();
    let reopened = Disk::holding(before, 1).open(Recovery::Quick).unwrap();
    oracle.judge(&reopened).await.unwrap_or_else(|what| panic!("{what}"));
}
