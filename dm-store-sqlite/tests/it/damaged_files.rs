//! Opening damaged files: files whose creation was interrupted, files that were copied in the
//! middle of a commit, files that were cut short, and files in which bits were flipped.

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;

use dm_conformance::crash::{Fate, Oracle};
use dm_core::store::{Store as _, StoreError, StoreErrorKind};
use dm_store_sqlite::{SqliteConfig, SqliteStore};
use tempfile::TempDir;

/// Bytes in a page of a file that the store created.
const PAGE: usize = 8_192;

/// The contents of the database file and of its write-ahead log. The log's index, which is in
/// shared memory, is left out.
#[derive(Clone, PartialEq, Eq)]
struct Files {
    database: Vec<u8>,
    log: Vec<u8>,
}

impl Files {
    /// Copies the current files. Another program reads them, because a process that closes a file
    /// loses all its locks on this file. The log is copied first: if a checkpoint then moves pages
    /// from the log to the database, these pages are in both copies.
    fn copy(folder: &Path) -> Self {
        let copied = |name: &str| {
            let copy = Command::new("cat").arg(folder.join(name)).output().unwrap();
            copy.stdout
        };
        let log = copied("dm.db-wal");
        Self { database: copied("dm.db"), log }
    }

    /// Opens a store on these contents, in a new folder.
    fn open(&self) -> (TempDir, Result<SqliteStore, StoreError>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dm.db");
        std::fs::write(&path, &self.database).unwrap();
        std::fs::write(folder.path().join("dm.db-wal"), &self.log).unwrap();
        let store = SqliteStore::open(path);
        (folder, store)
    }
}

/// A new store that runs a checkpoint when its log has `checkpoint_pages` pages.
fn new_store(checkpoint_pages: u32) -> (TempDir, SqliteStore, Oracle) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = SqliteConfig::default();
    config.checkpoint_pages = checkpoint_pages;
    config.recent_entries = NonZeroUsize::new(24).unwrap();
    let store = SqliteStore::open_with(folder.path().join("dm.db"), &config).unwrap();
    (folder, store, Oracle::new(5))
}

/// The files of a store with some answered batches, and an empty log.
async fn closed_files() -> (Files, Oracle) {
    let (folder, store, mut oracle) = new_store(1);
    for _ in 0..40 {
        let outcomes = store.commit(oracle.ask()).await.unwrap();
        oracle.answered(&outcomes).unwrap();
    }
    drop(store);
    let files = Files::copy(folder.path());
    assert!(files.log.is_empty(), "closing the last handle runs a checkpoint");
    (files, oracle)
}

#[tokio::test]
async fn a_store_whose_creation_was_interrupted_is_created_again() {
    let (folder, store, oracle) = new_store(100_000);
    let made = Files::copy(folder.path());
    drop(store);
    assert!(made.log.len() > 10 * PAGE, "the first schema is in the log");
    let mut cuts: Vec<Files> = Vec::new();
    for end in (0..made.log.len()).step_by(PAGE / 2 + 7) {
        cuts.push(Files { database: made.database.clone(), log: made.log[..end].to_vec() });
    }
    cuts.push(Files { database: Vec::new(), log: Vec::new() });
    for cut in cuts {
        let mut oracle = oracle.clone();
        let (_folder, store) = cut.open();
        let store = store.unwrap_or_else(|error| panic!("{} bytes of log: {error:?}", cut.log.len()));
        oracle.judge(&store).await.unwrap();
        let outcomes = store.commit(oracle.ask()).await.unwrap();
        oracle.answered(&outcomes).unwrap();
        oracle.judge(&store).await.unwrap();
    }
}

#[tokio::test]
async fn a_copy_taken_during_a_commit_has_the_whole_batch_or_none_of_it() {
    let (folder, store, mut oracle) = new_store(100_000);
    let (mut whole, mut absent) = (0_u32, 0_u32);
    for _ in 0..30 {
        let writes = oracle.ask();
        let asked = oracle.clone();
        let commit = {
            let store = store.clone();
            std::thread::spawn(move || {
                tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(store.commit(writes))
            })
        };
        let mut copies = Vec::new();
        while !commit.is_finished() && copies.len() < 4 {
            copies.push(Files::copy(folder.path()));
        }
        oracle.answered(&commit.join().unwrap().unwrap()).unwrap();
        for copy in copies {
            let (_folder, store) = copy.open();
            match asked.clone().judge(&store.unwrap()).await.unwrap_or_else(|what| panic!("{what}")) {
                Fate::Whole => whole += 1,
                Fate::Absent => absent += 1,
            }
        }
    }
    print_uncaptured(&format!(
        "copies of SQLite's files taken while a commit ran: {whole} with it, {absent} without it"
    ));
}

/// Most cuts are at the end of a page. If half a page is missing at the end of a database, SQLite
/// reads zeros instead, and does not notice the damage.
#[tokio::test]
async fn a_database_cut_short_is_corrupt_and_never_empty() {
    let (whole, _) = closed_files().await;
    let pages = whole.database.len() / PAGE;
    for end in (1..pages).step_by(3).map(|page| page * PAGE).chain([100, PAGE / 2, PAGE + 1]) {
        let database = whole.database[..end].to_vec();
        let (_folder, store) = Files { database, log: Vec::new() }.open();
        assert_eq!(
            store.unwrap_err().kind(),
            StoreErrorKind::Corrupt,
            "{end} of {} bytes",
            whole.database.len()
        );
    }
}

/// SQLite keeps no checksums of a database's pages, so that a flipped bit within a value gives
/// another value. The test prints how often this happened. It fails on a panic, an endless loop, or
/// an untyped error.
#[tokio::test]
async fn a_flipped_bit_that_sqlite_notices_is_a_typed_error() {
    let (whole, oracle) = closed_files().await;
    let (mut typed, mut harmless, mut unnoticed) = (0_u32, 0_u32, 0_u32);
    for at in (0..whole.database.len()).step_by(whole.database.len() / 150) {
        let mut flipped = whole.clone();
        flipped.database[at] ^= 1 << (at % 8);
        match flipped.open() {
            (_folder, Ok(store)) => match oracle.clone().judge(&store).await {
                Ok(_) => harmless += 1,
                Err(_) => unnoticed += 1,
            },
            (_, Err(error)) => {
                // A bit in the text of the schema gives a table that is not the store's.
                let kinds = [
                    StoreErrorKind::Corrupt,
                    StoreErrorKind::NewerSchema,
                    StoreErrorKind::ForeignTables,
                    StoreErrorKind::Engine,
                ];
                assert!(kinds.contains(&error.kind()), "at {at}: {error:?}");
                typed += 1;
            }
        }
    }
    print_uncaptured(&format!(
        "flipped bits in SQLite's database: {typed} times it did not open, {harmless} times nothing changed, \
         {unnoticed} times reads failed or gave other data; SQLite has no page checksums to notice it"
    ));
}

/// Prints a result to the standard error without the test harness's capture, so that it is visible
/// also when the test passes.
fn print_uncaptured(text: &str) {
    let _seen = writeln!(std::io::stderr(), "{text}");
}
