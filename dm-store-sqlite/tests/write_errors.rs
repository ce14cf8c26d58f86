//! A file that may not grow: the kernel refuses writes in the middle of a commit (`EFBIG`, by a limit on file sizes that
//! a shell sets for a child process). The store answers with typed errors, and is whole when it is opened without the
//! limit.
//!
//! Not tried here: `ENOSPC` of a full disk, which SQLite tells apart and which takes a file system of its own to bring
//! about (a file limited by SQLite itself is in `files.rs`); an `fsync` that fails, which takes a VFS of our own.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use dm_conformance::crash::{Answers, Fate, Oracle, batch};
use dm_core::{InboxQuery, InboxSeq, OwnEntries, Store, StoreErrorKind};
use dm_store_sqlite::{SqliteConfig, SqliteStore};

const CHILD: &str = "DM_WRITE_ERRORS_CHILD";
const SEED: u64 = 11;

#[tokio::test]
async fn a_write_that_the_kernel_refuses_is_a_typed_error_and_leaves_the_file_whole() {
    if let Some(path) = std::env::var_os(CHILD) {
        return commit_until_refused(path.as_ref()).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.db");
    // Blocks of 512 bytes or 1 KiB, as the shell has it. The signal would end the process before SQLite sees the error.
    let limited = r#"trap '' XFSZ; ulimit -f 600; exec "$0" "$@""#;
    let child = Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .args(["a_write_that_the_kernel_refuses", "--nocapture", "--test-threads=1"])
        .env(CHILD, &path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}\n{}", String::from_utf8_lossy(&child.stderr));

    let mut oracle = Oracle::new();
    for line in said.lines() {
        if let Some(answers) = line.strip_prefix("answered ") {
            oracle.asking(&batch(SEED, oracle.batches() as u64));
            oracle.answered(&Answers::from_line(answers)).await.unwrap();
        }
    }
    assert!(oracle.batches() > 3, "{said}");
    oracle.asking(&batch(SEED, oracle.batches() as u64));
    let unknown = said.lines().any(|line| line == "refused OutcomeUnknown");
    assert!(unknown || said.lines().any(|line| line.starts_with("refused ")), "{said}");
    if !unknown {
        oracle.failed();
    }
    let store = SqliteStore::open(&path).unwrap();
    let fate = oracle.judge(&store).await.unwrap();
    oracle.repeat(&store).await.unwrap();
    assert!(unknown || fate == Fate::NothingAsked);
    let count = oracle.batches();
    writeln!(
        std::io::stderr(),
        "SQLite's file may not grow: after {count} batches, unknown: {unknown}, {fate:?}"
    )
    .unwrap();
}

/// Says what was answered, line by line; then the error, and checks what the store does after it.
async fn commit_until_refused(path: &Path) {
    let mut config = SqliteConfig::default();
    config.checkpoint_pages = 20;
    let store = SqliteStore::open_with(path, &config).unwrap();
    println!();
    for n in 0..10_000 {
        match store.commit(batch(SEED, n)).await {
            Ok(outcomes) => println!("answered {}", Answers::of(&outcomes)),
            Err(error) => {
                println!("refused {:?}", error.kind());
                let read = store.inbox(inbox()).await;
                let next = store.commit(batch(SEED, n)).await;
                match error.kind() {
                    StoreErrorKind::OutcomeUnknown => {
                        assert_eq!(read.unwrap_err().kind(), StoreErrorKind::Closed);
                        assert_eq!(next.unwrap_err().kind(), StoreErrorKind::Closed);
                    }
                    StoreErrorKind::Full | StoreErrorKind::Engine | StoreErrorKind::Unavailable => {
                        assert!(!read.unwrap().entries.is_empty(), "reads go on");
                        let _ = next.unwrap_err();
                    }
                    other => panic!("{other:?}: {error:?}"),
                }
                return;
            }
        }
    }
    panic!("it never filled up");
}

fn inbox() -> InboxQuery {
    let who = dm_conformance::build::who(1);
    InboxQuery { who, after: InboxSeq::ZERO, own: OwnEntries::Include, limit: 10, max_bytes: usize::MAX }
}
