//! A limit for the size of files: the kernel refuses a write in the middle of a commit with
//! `EFBIG`. A shell sets this limit for a child process. The store must return typed errors, and
//! the file must be undamaged when it is opened without the limit.
//!
//! `disk.rs` tests a full disk and a failing `fsync`. `files.rs` tests a limit set in SQLite.

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;

use dm_conformance::build::who;
use dm_conformance::crash::{Fate, Oracle};
use dm_core::store::{InboxQuery, InboxSeq, OwnEntries, Store, StoreErrorKind};
use dm_store_sqlite::{SqliteConfig, SqliteStore};

const CHILD: &str = "DM_WRITE_ERRORS_CHILD";
const SEED: u64 = 11;

#[tokio::test]
async fn a_write_that_the_kernel_refuses_is_a_typed_error_and_damages_nothing() {
    if let Some(path) = std::env::var_os(CHILD) {
        return commit_until_refused(path.as_ref()).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.db");
    // The limit is in blocks of 512 bytes or of 1 KiB, depending on the shell. Without the trap,
    // the signal would end the process before SQLite gets the error.
    let limited = r#"trap '' XFSZ; ulimit -f 600; exec "$0" "$@""#;
    let child = Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .args(["a_write_that_the_kernel_refuses", "--nocapture", "--test-threads=1"])
        .env(CHILD, &path)
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}\n{}", String::from_utf8_lossy(&child.stderr));
    let refused = output.lines().find_map(|line| line.strip_prefix("refused "));
    let refused = refused.unwrap_or_else(|| panic!("nothing was refused: {output}"));

    // The same seed gives the same batches as in the child, which checked their answers.
    let answered = output.lines().filter(|line| *line == "answered").count();
    let (mut oracle, model) = (Oracle::new(SEED), dm_core::MemoryStore::new());
    for _ in 0..answered {
        let outcomes = model.commit(oracle.ask()).await.unwrap();
        oracle.answered(&outcomes).unwrap();
    }
    oracle.ask();
    let store = SqliteStore::open(&path).unwrap();
    let fate = oracle.judge(&store).await.unwrap();
    assert!(fate == Fate::Absent || refused == "OutcomeUnknown", "{refused}, but the batch is there");
    let outcomes = store.commit(oracle.ask()).await.unwrap();
    oracle.answered(&outcomes).unwrap();
    oracle.judge(&store).await.unwrap();
    let summary = format!(
        "SQLite's file may not grow: {answered} batches answered, then {refused}; the batch is {fate:?}"
    );
    writeln!(std::io::stderr(), "{summary}").unwrap();
}

/// Commits batches until one fails. Prints a line for each answered batch and one for the error,
/// and checks a read after the error.
async fn commit_until_refused(path: &Path) {
    let mut config = SqliteConfig::default();
    config.checkpoint_pages = 20;
    config.recent_entries = NonZeroUsize::new(24).unwrap();
    let store = SqliteStore::open_with(path, &config).unwrap();
    let mut oracle = Oracle::new(SEED);
    println!();
    for _ in 0..10_000 {
        let error = match store.commit(oracle.ask()).await {
            Ok(outcomes) => {
                oracle.answered(&outcomes).unwrap();
                println!("answered");
                continue;
            }
            Err(error) => error,
        };
        println!("refused {:?}", error.kind());
        let query = InboxQuery {
            who: who(1),
            after: InboxSeq::ZERO,
            own: OwnEntries::Include,
            limit: 10,
            max_bytes: usize::MAX,
        };
        let read = store.inbox(query).await;
        match error.kind() {
            StoreErrorKind::OutcomeUnknown => {
                // The store reopens its file, as far as the limit allows.
                let kind = read.err().map(|error| error.kind());
                assert!(matches!(kind, None | Some(StoreErrorKind::Unavailable)), "{kind:?}");
            }
            StoreErrorKind::Full | StoreErrorKind::Engine => drop(read.unwrap()),
            other => panic!("{other:?}: {error:?}"),
        }
        return;
    }
    panic!("the file never filled up");
}
