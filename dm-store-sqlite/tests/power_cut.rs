//! Power cuts, from copies of the database and its log.
//!
//! SQLite syncs its log before a commit is answered and writes nothing but the log in a commit, except for checkpoints,
//! which copy the log into the database once it is synced. So what a power cut may leave is known without looking under
//! SQLite: the files as they were at the last answer, and any part of what was written since. The tests take copies of
//! the two files after every answer and while commits run, put such parts together sector by sector, open them as a
//! store, and let the [`Oracle`] judge it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "common/files.rs"]
mod files;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::mpsc;

use dm_conformance::crash::{Answers, Fate, Oracle, Wrong, batch};
use dm_core::{Store, StoreErrorKind};
use dm_store_sqlite::{SqliteConfig, SqliteStore};
use files::{Dice, Files};

const SEED: u64 = 7;

/// A folder with a store in it, and the oracle that knows what was answered.
struct Life {
    folder: tempfile::TempDir,
    store: SqliteStore,
    oracle: Oracle,
    next: u64,
}

impl Life {
    /// With a log that is copied into the database at so many pages.
    fn new(checkpoint_pages: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = SqliteConfig::default();
        config.checkpoint_pages = checkpoint_pages;
        let store = SqliteStore::open_with(folder.path().join("dm.db"), &config).unwrap();
        Self { folder, store, oracle: Oracle::new(), next: 0 }
    }

    fn files(&self) -> Files {
        Files::read(self.folder.path())
    }

    /// Asks for the next batch.
    async fn commit(&mut self) -> Answers {
        let batch = batch(SEED, self.next);
        self.next += 1;
        self.oracle.asking(&batch);
        Answers::of(&self.store.commit(batch).await.unwrap())
    }

    async fn commit_many(&mut self, batches: u64) {
        for _ in 0..batches {
            let answers = self.commit().await;
            self.oracle.answered(&answers).await.unwrap();
        }
    }
}

/// An oracle that was asked for so many batches, and answered all but the last.
async fn oracle_without_the_last_answer(batches: u64) -> Oracle {
    let (mut oracle, model) = (Oracle::new(), dm_core::MemoryStore::new());
    for n in 0..batches {
        oracle.asking(&batch(SEED, n));
        if n + 1 < batches {
            let outcomes = model.commit(batch(SEED, n)).await.unwrap();
            oracle.answered(&Answers::of(&outcomes)).await.unwrap();
        }
    }
    oracle
}

/// Opens the files as a store and judges it; then repeats what was not answered, and reopens it once more.
async fn judge(files: &Files, mut oracle: Oracle) -> Result<Fate, Wrong> {
    let folder = tempfile::tempdir().unwrap();
    files.write(folder.path());
    let path = folder.path().join("dm.db");
    let store = SqliteStore::open(&path)?;
    let fate = oracle.judge(&store).await?;
    oracle.repeat(&store).await?;
    drop(store);
    oracle.judge(&SqliteStore::open(&path)?).await?;
    Ok(fate)
}

#[tokio::test]
async fn what_was_answered_outlives_the_loss_of_everything_written_since() {
    let mut dice = Dice(1);
    let mut fates = BTreeMap::<Fate, u64>::new();
    let mut restarts = 0;
    // With a small log, most commits are followed by a checkpoint, and many begin the log anew.
    for (checkpoint_pages, batches) in [(20, 12), (100_000, 6)] {
        let mut life = Life::new(checkpoint_pages);
        for _ in 0..batches {
            let synced = life.files();
            let answers = life.commit().await;
            let written = life.files();
            restarts += u64::from(synced.log_header() != written.log_header());
            for (name, cut) in synced.cuts(&written, &mut dice) {
                let oracle = oracle_without_the_last_answer(life.next).await;
                let fate = judge(&cut, oracle).await;
                let fate = fate.unwrap_or_else(|wrong| panic!("batch {}, {name}: {wrong}", life.next - 1));
                *fates.entry(fate).or_default() += 1;
            }
            life.oracle.answered(&answers).await.unwrap();
        }
    }
    assert!(fates.contains_key(&Fate::Absent) && fates.contains_key(&Fate::Whole), "{fates:?}");
    assert!(restarts > 2, "the log is begun anew now and then");
    show(&format!(
        "power cuts of SQLite: {} whole, {} absent; {restarts} with a log begun anew. They assume that fsync is kept by \
         the disk and that SQLite calls it where it says; that is not tried here",
        fates[&Fate::Whole],
        fates[&Fate::Absent],
    ));
}

/// After its answer, all of a batch is there, whatever was not synced by then: the index of the log is not.
#[tokio::test]
async fn the_files_at_an_answer_are_enough() {
    let mut life = Life::new(40);
    for _ in 0..20 {
        life.commit_many(1).await;
        let oracle = oracle_without_the_last_answer(life.next).await;
        assert_eq!(judge(&life.files(), oracle).await.unwrap(), Fate::Whole, "batch {}", life.next - 1);
    }
}

#[tokio::test]
async fn copies_taken_while_a_commit_runs_hold_all_of_it_or_nothing() {
    let mut life = Life::new(100_000);
    life.commit_many(3).await;
    let (mut copies, mut seen) = (0, BTreeMap::<Fate, u64>::new());
    while life.next < 40 {
        let synced = life.files();
        let batch = batch(SEED, life.next);
        life.next += 1;
        life.oracle.asking(&batch);
        let (answer, answered) = mpsc::channel();
        let store = life.store.clone();
        let commit = tokio::spawn(async move { answer.send(store.commit(batch).await) });
        let mut taken: Vec<Files> = Vec::new();
        let outcomes = loop {
            match answered.try_recv() {
                Ok(outcomes) => break outcomes.unwrap(),
                Err(_) => {
                    let now = life.files();
                    if now != synced && taken.last() != Some(&now) {
                        taken.push(now);
                    }
                    tokio::task::yield_now().await;
                }
            }
        };
        commit.await.unwrap().unwrap();
        for copy in taken.into_iter().take(4) {
            let oracle = oracle_without_the_last_answer(life.next).await;
            *seen.entry(judge(&copy, oracle).await.unwrap()).or_default() += 1;
            copies += 1;
        }
        life.oracle.answered(&Answers::of(&outcomes)).await.unwrap();
    }
    show(&format!("{copies} copies of SQLite's files taken while a commit ran: {seen:?}"));
}

/// Making the file is one commit like any other: there is a store, or none yet.
#[tokio::test]
async fn a_store_whose_making_was_cut_off_is_made_again() {
    let mut dice = Dice(2);
    let life = Life::new(100_000);
    let made = life.files();
    let mut begun = made.clone();
    begun.log.clear();
    let mut cuts = begun.cuts(&made, &mut dice);
    cuts.push(("no file".to_owned(), Files::default()));
    for (name, cut) in cuts {
        let fate = judge(&cut, oracle_without_the_last_answer(1).await).await;
        assert_eq!(fate.unwrap_or_else(|wrong| panic!("{name}: {wrong}")), Fate::Absent);
    }
}

/// What a damaged store may do: refuse with a typed error, or hold what was committed up to some batch.
async fn open_damaged(files: &Files, oracle: &Oracle) -> Result<usize, Wrong> {
    let folder = tempfile::tempdir().unwrap();
    files.write(folder.path());
    let store = SqliteStore::open(folder.path().join("dm.db"))?;
    oracle.prefix(&store).await
}

#[tokio::test]
async fn damage_to_the_log_leaves_what_was_committed_before_it() {
    let mut dice = Dice(3);
    let mut life = Life::new(100_000);
    life.commit_many(12).await;
    let whole = life.files();
    let mut prefixes = BTreeMap::<usize, u64>::new();
    for n in 0..120 {
        let mut damaged = whole.clone();
        let at = dice.below(damaged.log.len());
        match n % 3 {
            0 => damaged.log[at] ^= 1 << dice.below(8),
            1 => damaged.log.truncate(at),
            _ => damaged.log[at..].iter_mut().take(512).for_each(|byte| *byte = 0),
        }
        let prefix = match open_damaged(&damaged, &life.oracle).await {
            Ok(prefix) => prefix,
            // The log's frames have checksums: nothing else is allowed than an older state.
            Err(wrong) => panic!("damage {n} at {at} of {}: {wrong}", whole.log.len()),
        };
        *prefixes.entry(prefix).or_default() += 1;
    }
    assert!(prefixes.len() > 6, "{prefixes:?}");
}

#[tokio::test]
async fn a_database_cut_short_is_corrupt_and_never_empty() {
    let mut life = Life::new(10);
    life.commit_many(12).await;
    let mut whole = life.files();
    whole.log.clear();
    let mut dice = Dice(4);
    // A page cut in two SQLite fills up with zeros and does not miss, when it is the last.
    let last_page = whole.database.len() - 4_096;
    for _ in 0..40 {
        let mut damaged = whole.clone();
        damaged.database.truncate(1 + dice.below(last_page - 1));
        match open_damaged(&damaged, &life.oracle).await {
            Err(Wrong::Failed(error)) => assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error:?}"),
            other => panic!("{} of {} bytes: {other:?}", damaged.database.len(), whole.database.len()),
        }
    }
}

/// SQLite keeps no checksums of the pages of a database. A flipped bit in the middle of a value reads as another value:
/// the test says how often, and only demands that nothing panics or hangs and that errors are typed.
#[tokio::test]
async fn bits_flipped_in_the_database_do_not_take_the_process_down() {
    let mut life = Life::new(10);
    life.commit_many(12).await;
    let mut whole = life.files();
    whole.log.clear();
    let mut dice = Dice(5);
    let (mut typed, mut unnoticed, mut other) = (0, 0, 0);
    for _ in 0..120 {
        let mut damaged = whole.clone();
        let at = dice.below(damaged.database.len());
        damaged.database[at] ^= 1 << dice.below(8);
        match open_damaged(&damaged, &life.oracle).await {
            Ok(_) => unnoticed += 1,
            Err(Wrong::Failed(error)) => {
                assert!(
                    matches!(
                        error.kind(),
                        StoreErrorKind::Corrupt | StoreErrorKind::NewerSchema | StoreErrorKind::Engine
                    ),
                    "{error:?}"
                );
                typed += 1;
            }
            Err(_) => other += 1,
        }
    }
    show(&format!(
        "bits flipped in SQLite's database: {typed} typed errors, {unnoticed} of no effect, {other} read as other data, \
         which SQLite without page checksums cannot notice"
    ));
}

/// Past the test program's capture.
fn show(text: &str) {
    writeln!(std::io::stderr(), "{text}").unwrap();
}
