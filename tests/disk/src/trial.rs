//! Trials: a child writes, and the power is cut at many moments of what it wrote.

use std::os::unix::fs::MetadataExt as _;

use dm_conformance::crash::{Fate, Oracle};
use dm_core::store::{MemoryStore, Store as _};

use crate::child::{self, Mark, Place, SEED, Syncs};
use crate::disk::Disk;
use crate::event::{self, Event};
use crate::harness::DiskHarness;

/// About how many cuts a trial makes.
const CUTS: usize = 40;

/// Syncs of a commit, and perhaps of what follows it, fail. The batch is unknown, the store reopens
/// itself in the same process, and all that was answered is there after a power cut at any later
/// moment: also what depends on pages that the operating system gave up when the sync failed. The
/// store is opened by a relative path, and the working directory is another one when it reopens
/// itself.
///
/// The test of a path calls this, and is run once more as the child.
///
/// # Panics
/// When it is not so.
pub async fn syncs_fail<H: DiskHarness>(test: &str, syncs: Syncs) {
    run::<H>(test, Some(syncs)).await;
}

/// The power is cut at moments by chance: what was answered is there, and the rest as a whole or
/// not at all.
///
/// # Panics
/// When it is not so.
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
    let place = Place::new(root);
    // Before the first commit was answered nothing is promised: the trial begins with an empty
    // store.
    drop(H::open(&place.store(), 0).unwrap());
    std::fs::write(place.marks(), []).unwrap();
    let mut disk = Disk::of(place.root(), SEED);
    let log = folder.path().join("log");
    child::run(test, &place, &log, fail);

    let events = event::read(&log);
    let marks = place.marks().metadata().unwrap().ino();
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
    assert_eq!(unknown > 0, fail.is_some(), "a sync that fails, and only that, makes a batch unknown");
}

/// Follows a child by its marks, on a store in memory.
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
                // From here on it stays what the child found it to be.
                self.oracle.judge(&self.store).await.unwrap();
            }
        }
    }
}
