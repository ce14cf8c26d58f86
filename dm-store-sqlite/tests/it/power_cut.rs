//! Power cuts: writes that were not synced are lost, torn, or kept in any order.
//!
//! SQLite's interface to the disk cannot be implemented without unsafe code. So the tests copy the
//! files before and after each commit, and compose files that a disk may have held between these
//! two states:
//!
//! - During a commit: the old database, and any of the new sectors of the write-ahead log. When the
//!   log is restarted, its new header is there before any other new sector.
//! - During the checkpoint after the commit: the new log, and any of the new sectors of the
//!   database.
//! - In both cases without the shared memory file, which is never synced.
//!
//! The tests do not prove that the sync system call works, or that SQLite calls it in this order.
//! SQLite's documentation describes the order. A test in `connection.rs` checks
//! `synchronous = FULL`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use dm_conformance::Chance;
use dm_conformance::crash::{Fate, Oracle};
use dm_core::store::{Store as _, StoreError, StoreErrorKind};
use dm_store_sqlite::{SqliteConfig, SqliteStore};

/// The number of bytes that a disk writes completely or not at all.
const SECTOR: usize = 512;
/// The size of the log's header, in bytes. The header determines which frames belong to the log.
const LOG_HEADER: usize = 32;
/// The number of batches in a test.
const BATCHES: u64 = 60;
/// The number of power cuts of each kind after a batch.
const CUTS: usize = 4;

/// The contents of the database file and of its write-ahead log.
#[derive(Clone, PartialEq, Eq)]
struct Files {
    database: Vec<u8>,
    log: Vec<u8>,
}

/// The folder of a store, and the random numbers that decide what a power cut leaves of its files.
struct SimulatedDisk {
    folder: tempfile::TempDir,
    chance: Chance,
}

impl SimulatedDisk {
    fn new(seed: u64) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), chance: Chance::new(seed, 0) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("dm.db")
    }

    /// Copies the current files. Another program copies them, because a process that closes a file
    /// loses its locks on it.
    fn copy(&self) -> Files {
        let copied = |name: &str| {
            let to = self.folder.path().join("copy");
            let copy = Command::new("cp").arg(self.folder.path().join(name)).arg(&to).status().unwrap();
            if copy.success() { std::fs::read(to).unwrap() } else { Vec::new() }
        };
        Files { database: copied("dm.db"), log: copied("dm.db-wal") }
    }

    /// A log that a power cut between the states `before` and `after` may leave. When SQLite
    /// restarts the log, it syncs the new header before it writes anything else. Otherwise a power
    /// cut could leave the old header and old frames, and bring back pages from before the last
    /// checkpoint.
    fn log_after_cut(&mut self, before: &[u8], after: &[u8]) -> Vec<u8> {
        let is_restarted = before.len() >= LOG_HEADER && before[..LOG_HEADER] != after[..LOG_HEADER];
        if !is_restarted {
            return self.file_after_cut(before, after);
        }
        if self.chance.below(4) == 0 {
            return before.to_vec();
        }
        let with_header = [&after[..LOG_HEADER], &before[LOG_HEADER..]].concat();
        self.file_after_cut(&with_header, after)
    }

    /// A file that a power cut between the states `before` and `after` may leave: any of the
    /// changed sectors are written.
    fn file_after_cut(&mut self, before: &[u8], after: &[u8]) -> Vec<u8> {
        // The number of changed sectors, out of eight, that are written on average: from none to
        // all.
        let odds = self.chance.below(9);
        // The new length may reach the disk before the content does, or after.
        let length = if self.chance.below(2) == 0 { before.len() } else { before.len().max(after.len()) };
        let mut file = before.to_vec();
        file.resize(length, 0);
        for (n, sector) in after.chunks(SECTOR).enumerate() {
            let at = n * SECTOR;
            let changed = before.get(at..at + sector.len()) != Some(sector);
            if changed && self.chance.below(8) < odds {
                file.resize(file.len().max(at + sector.len()), 0);
                file[at..at + sector.len()].copy_from_slice(sector);
            }
        }
        file
    }
}

/// Opens a store on these contents in `folder`, without a shared memory file.
fn open(files: &Files, folder: &Path) -> Result<SqliteStore, StoreError> {
    let path = folder.join("dm.db");
    std::fs::write(&path, &files.database).unwrap();
    std::fs::write(folder.join("dm.db-wal"), &files.log).unwrap();
    SqliteStore::open(path)
}

/// Opens a store on these contents and compares it with the oracle.
async fn judge(files: &Files, oracle: &mut Oracle) -> Fate {
    let folder = tempfile::tempdir().unwrap();
    let store = open(files, folder.path())
        .unwrap_or_else(|error| panic!("after batch {} the store does not open: {error:?}", oracle.done()));
    oracle.judge(&store).await.unwrap_or_else(|what| panic!("{what}"))
}

/// A store with frequent checkpoints.
fn new_store(disk: &SimulatedDisk) -> SqliteStore {
    let mut config = SqliteConfig::default();
    config.checkpoint_pages = 40;
    config.recent_entries = NonZeroUsize::new(24).unwrap();
    SqliteStore::open_with(disk.path(), &config).unwrap()
}

#[tokio::test]
async fn acknowledged_writes_survive_a_power_cut() {
    let (mut disk, mut oracle) = (SimulatedDisk::new(7), Oracle::new(7));
    let store = new_store(&disk);
    let (mut trials, mut whole, mut checkpoints) = (0_u32, 0_u32, 0_u32);
    let mut before = disk.copy();
    for _ in 0..BATCHES {
        let writes = oracle.ask();
        let asked = oracle.clone();
        oracle.answered(&store.commit(writes).await.unwrap()).unwrap();
        let after = disk.copy();
        for _ in 0..CUTS {
            let log = disk.log_after_cut(&before.log, &after.log);
            let files = Files { database: before.database.clone(), log };
            whole += u32::from(judge(&files, &mut asked.clone()).await == Fate::Whole);
            trials += 1;
        }
        if before.database != after.database {
            checkpoints += 1;
            for _ in 0..CUTS {
                let database = disk.file_after_cut(&before.database, &after.database);
                let files = Files { database, log: after.log.clone() };
                judge(&files, &mut oracle.clone()).await;
                trials += 1;
            }
        }
        judge(&after, &mut oracle.clone()).await;
        trials += 1;
        before = after;
    }
    println!(
        "{trials} power cuts in and after {BATCHES} commits and {checkpoints} checkpoints: no batch lost, none in part; \
         {whole} times the commit under way was there as a whole"
    );
    assert!(whole > 0 && checkpoints > 0, "the power cuts are at too few moments");
}

#[tokio::test]
async fn a_damaged_log_gives_the_state_after_an_earlier_commit_or_a_typed_error() {
    let (mut disk, mut oracle) = (SimulatedDisk::new(11), Oracle::new(11));
    let store = new_store(&disk);
    for _ in 0..BATCHES {
        let writes = oracle.ask();
        oracle.answered(&store.commit(writes).await.unwrap()).unwrap();
    }
    let whole = disk.copy();
    let mut earlier = 0;
    for n in 0..40 {
        let mut files = whole.clone();
        let at = disk.chance.place(files.log.len());
        if n % 2 == 0 {
            files.log.truncate(at);
        } else {
            files.log[at] ^= 1 << disk.chance.below(8);
        }
        let folder = tempfile::tempdir().unwrap();
        match open(&files, folder.path()) {
            Ok(store) => {
                let batches = oracle.judge_any(&store).await.unwrap_or_else(|what| panic!("at {at}: {what}"));
                earlier += u32::from(batches < BATCHES);
            }
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error:?}"),
        }
    }
    assert!(earlier > 0, "no damage was noticed");
}

/// Shows that the comparison can fail: the files are those of a store that answers before it syncs
/// its log.
#[tokio::test]
#[should_panic(expected = "answered batches")]
async fn a_store_that_answers_before_it_syncs_is_noticed() {
    let (disk, mut oracle) = (SimulatedDisk::new(7), Oracle::new(7));
    let store = new_store(&disk);
    let mut before = disk.copy();
    for _ in 0..3 {
        before = disk.copy();
        let writes = oracle.ask();
        oracle.answered(&store.commit(writes).await.unwrap()).unwrap();
    }
    judge(&before, &mut oracle).await;
}
