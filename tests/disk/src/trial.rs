//! Trials: a child process writes, and the power is cut at many moments of the recording.

use std::os::unix::fs::MetadataExt as _;

use dm_conformance::crash::{Fate, Oracle};
use dm_core::store::{MemoryStore, Store as _};

use crate::child::{self, Mark, SEED, Syncs, TrialPaths};
use crate::disk::Disk;
use crate::event::{self, Event};
use crate::harness::DiskHarness;

/// The approximate number of power cuts of a trial.
const CUTS: usize = 40;

/// Syncs of a commit fail, and perhaps some after it. The outcome of the batch is unknown, and the
/// store reopens itself in the same process. After a power cut at any later moment all answered
/// batches are stored, also those in pages that the operating system dropped when the sync failed.
/// The store is opened by a relative path, and the working directory has changed when it reopens
/// itself.
///
/// The test with this path calls the function. It runs again as the child.
///
/// # Panics
/// Panics if the store does otherwise.
pub async fn syncs_fail<H: DiskHarness>(test: &str, syncs: Syncs) {
    run::<H>(test, Some(syncs)).await;
}

/// The power is cut at random moments: every answered batch is stored, and each other one as a
/// whole or not at all.
///
/// # Panics
/// Panics if the store does otherwise.
pub async fn power_is_cut<H: DiskHarness>(test: &str) {
    run::<H>(test, None).await;
}

async fn run<H: DiskHarness>(test: &str, fail: Option<Syncs>) {
    if child::is_child() {
        return child::write::<H>().await;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap().join("root");
    std::fs::create_dir(&root).unwrap();
    let paths = TrialPaths::new(root);
    // Nothing is promised before the first answered commit, so the trial begins with an empty
    // store.
    drop(H::open(&paths.store(), 0).unwrap());
    std::fs::write(paths.marks(), []).unwrap();
    let mut disk = Disk::of(paths.root(), SEED);
    let log = folder.path().join("log");
    child::run(test, &paths, &log, fail);

    let events = event::read(&log);
    let marks = paths.marks().metadata().unwrap().ino();
    let mut judge =
        Judge { oracle: Oracle::new(SEED), store: MemoryStore::new(), writes: Vec::new(), unknown: 0 };
    let moments = (events.len() / CUTS).max(1);
    let (mut cuts, mut whole) = (0, 0);
    for event in &events {
        disk.apply(event);
        if let Event::Written { file, bytes, .. } = event
            && *file == marks
        {
            for mark in bytes {
                judge.goes_on(Mark::of(*mark)).await;
            }
        }
        if disk.one_of(moments) {
            let after = folder.path().join("cut");
            disk.cut(&after);
            let mut oracle = judge.oracle.clone();
            let store = H::open(&after.join("dm"), 0);
            let store = store.unwrap_or_else(|error| panic!("after batch {}: {error:?}", oracle.done()));
            let fate = oracle.judge(&store).await.unwrap_or_else(|what| panic!("{what}"));
            drop(store);
            std::fs::remove_dir_all(after).unwrap();
            cuts += 1;
            whole += usize::from(fate == Fate::Whole);
        }
    }
    let unknown = judge.unknown;
    println!(
        "{cuts} power cuts, {} batches answered, {unknown} unknown: none lost, none in part; {whole} times the batch \
         that was under way was there as a whole",
        judge.oracle.done()
    );
    assert!(cuts > CUTS / 2 && judge.oracle.done() > 40, "the trial was too short");
    assert_eq!(unknown > 0, fail.is_some(), "only a failed sync makes an outcome unknown");
}

/// Follows a child by its marks, with an in-memory store of the same batches.
struct Judge {
    oracle: Oracle,
    store: MemoryStore,
    writes: Vec<dm_core::store::Write>,
    unknown: u64,
}

impl Judge {
    async fn goes_on(&mut self, mark: Mark) {
        match mark {
            Mark::Asked => self.writes = self.oracle.ask(),
            Mark::Answered => {
                let outcomes = self.store.commit(std::mem::take(&mut self.writes)).await.unwrap();
                self.oracle.answered(&outcomes).unwrap();
            }
            Mark::Whole | Mark::Absent => {
                self.unknown += 1;
                if mark == Mark::Whole {
                    self.store.commit(std::mem::take(&mut self.writes)).await.unwrap();
                }
                // The batch must stay as the child found it.
                self.oracle.judge(&self.store).await.unwrap();
            }
        }
    }
}
