//! The child process of a trial: it writes while its changes to files are recorded.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use dm_conformance::build::user;
use dm_conformance::crash::{Fate, Oracle};
use dm_conformance::process::command;
use dm_core::store::{Store as _, StoreErrorKind};

use crate::harness::DiskHarness;

/// The number of batches that a child commits, and the batch whose sync fails.
const BATCHES: u64 = 60;
const FAILING: u64 = 20;
pub(crate) const SEED: u64 = 11;

/// Environment variables: the child's folder, the file that makes syncs fail while it exists, and
/// the [`Syncs`] that fail.
const ROOT: &str = "DM_DISK_ROOT";
const FAIL: &str = "DM_DISK_FAIL";
const SYNCS: &str = "DM_DISK_SYNCS";

/// The syncs that fail, counted from the start of a commit. Both numbers are at most 9.
#[derive(Clone, Copy, Debug)]
pub struct Syncs {
    /// The number of syncs that succeed first.
    pub well: u8,
    /// The number of syncs that fail after them.
    pub failing: u8,
}

/// The paths of the files of a trial.
#[derive(Debug)]
pub(crate) struct TrialPaths {
    root: PathBuf,
}

impl TrialPaths {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder whose changes are recorded.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("dm")
    }

    /// The file to which the child appends a mark for each step.
    pub(crate) fn marks(&self) -> PathBuf {
        self.root.join("marks")
    }
}

/// A step of a child. Its mark is recorded in order with the changes to the store's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mark {
    Asked = b'a',
    Answered = b'k',
    /// The outcome was unknown, and the store has the whole batch after it reopened itself.
    Whole = b'w',
    /// The outcome was unknown, and the store has nothing of the batch after it reopened itself.
    Absent = b'n',
}

impl Mark {
    pub(crate) fn of(byte: u8) -> Self {
        [Self::Asked, Self::Answered, Self::Whole, Self::Absent]
            .into_iter()
            .find(|mark| *mark as u8 == byte)
            .expect("a mark")
    }
}

/// Whether this process was started as the child of a trial.
#[must_use]
pub fn is_child() -> bool {
    std::env::var_os(ROOT).is_some()
}

/// Runs a test of this program again in a child process, with its changes to files recorded in a
/// log.
pub(crate) fn run(test: &str, paths: &TrialPaths, log: &Path, fail: Option<Syncs>) {
    let beside = log.parent().unwrap();
    let library = beside.join("recorder.so");
    let source = beside.join("recorder.c");
    std::fs::write(&source, include_str!("recorder.c")).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl");
    assert!(compiler.status().expect("a C compiler").success());
    let mut child = command(test);
    child.env(ROOT, paths.root()).env("DM_DISK_LOG", log).env("LD_PRELOAD", library);
    if let Some(Syncs { well, failing }) = fail {
        child.env(FAIL, beside.join("fail")).env(SYNCS, format!("{well}{failing}"));
    }
    let output = child.output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", said(&output.stdout), said(&output.stderr));
}

/// Commits the batches, marks each step, and checks the stored data at the end.
pub(crate) async fn write<H: DiskHarness>() {
    let paths = TrialPaths::new(std::env::var_os(ROOT).unwrap().into());
    let fail = std::env::var_os(FAIL).map(PathBuf::from);
    let mut marks = std::fs::File::options().append(true).open(paths.marks()).unwrap();
    let mut mark = |mark: Mark| marks.write_all(&[mark as u8]).unwrap();
    let store = open_here_and_leave::<H>(&paths);
    let mut oracle = Oracle::new(SEED);
    for n in 0..BATCHES {
        if let Some(fail) = fail.as_ref().filter(|_| n == FAILING) {
            std::fs::write(fail, std::env::var(SYNCS).unwrap()).unwrap();
        }
        let writes = oracle.ask();
        mark(Mark::Asked);
        match store.commit(writes).await {
            Ok(outcomes) => {
                oracle.answered(&outcomes).unwrap();
                mark(Mark::Answered);
            }
            Err(error) => {
                assert!(fail.is_some(), "{error:?}");
                assert_eq!(error.kind(), StoreErrorKind::OutcomeUnknown, "{error:?}");
                until_open(&store).await;
                let fate = oracle.judge(&store).await.unwrap();
                mark(if fate == Fate::Whole { Mark::Whole } else { Mark::Absent });
            }
        }
        H::between(&store, n).await;
    }
    assert!(fail.is_none_or(|fail| !fail.exists()), "no sync failed");
    drop(store);
    oracle.judge(&H::open(&paths.store(), 0).unwrap()).await.unwrap();
}

/// Opens the store by a relative path and changes the working directory: a store that reopens
/// itself must still find its files.
fn open_here_and_leave<H: DiskHarness>(paths: &TrialPaths) -> H::Store {
    let path = paths.store();
    std::env::set_current_dir(path.parent().unwrap()).unwrap();
    let store = H::open(Path::new(path.file_name().unwrap()), 0).unwrap();
    std::env::set_current_dir("/").unwrap();
    store
}

/// Waits until a store that reopens itself answers again. Until then it must refuse calls as
/// unavailable.
pub(crate) async fn until_open(store: &impl dm_core::store::Store) {
    while let Err(error) = store.devices(user(1)).await {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
        // The pause of a client between two retries. No assertion depends on its length.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
