//! A second process opens a store that is open.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dm_conformance::build::{append, open, user, who};
use dm_conformance::process::command;
use dm_core::store::{InboxQuery, InboxSeq, Outcome, OwnEntries, Store as _, StoreErrorKind};

use crate::harness::DiskHarness;

/// The number of messages that each of the two processes sends.
const EACH: u64 = 100;

const STORE: &str = "DM_DISK_SECOND";

/// Two processes write to one store at the same time. They wait for each other, and every number is
/// given once.
///
/// The test with this path calls the function. It runs again as the second process.
///
/// # Panics
/// Panics if the store does otherwise.
pub async fn shares<H: DiskHarness>(test: &str) {
    if let Some(path) = std::env::var_os(STORE) {
        println!("\nopen");
        return send::<H>(&H::open(&PathBuf::from(path), 0).unwrap(), 1_000).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm");
    let store = H::open(&path, 0).unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    let mut second = second_process(test, &path).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(second.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap() == "open"), "the second process did not begin");
    send::<H>(&store, 2_000).await;
    // The rest of its output is read, so that the pipe does not fill up.
    said.for_each(|_| ());
    assert!(second.wait().unwrap().success());
    let query = InboxQuery {
        who: who(2),
        after: InboxSeq::ZERO,
        own: OwnEntries::Include,
        limit: 10_000,
        max_bytes: usize::MAX,
    };
    let entries = store.inbox(query).await.unwrap().entries;
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.seq.get()).collect();
    assert_eq!(numbers, (1..=1 + 2 * EACH).collect::<Vec<_>>());
}

/// Sends messages one after another, with ids from `first` on.
async fn send<H: DiskHarness>(store: &H::Store, first: u64) {
    for id in first..first + EACH {
        let outcomes = store.commit(vec![append(1, 1, id).into()]).await.unwrap();
        assert!(matches!(outcomes[0], Outcome::Done(_)), "{outcomes:?}");
    }
}

fn second_process(test: &str, store: &Path) -> Command {
    let mut second = command(test);
    second.env(STORE, store);
    second
}

/// A second process is refused as locked and changes nothing. It can open the store after the first
/// process closed it.
///
/// The test with this path calls the function. It runs again as the second process.
///
/// # Panics
/// Panics if the store does otherwise.
pub async fn is_refused<H: DiskHarness>(test: &str) {
    if let Some(path) = std::env::var_os(STORE) {
        let opened = H::open(&PathBuf::from(path), 0);
        println!("\nsecond: {:?}", opened.map(drop).map_err(|error| error.kind()));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm");
    let second = || {
        let output = second_process(test, &path).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let line = said.lines().find_map(|line| line.strip_prefix("second: ")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{said}\n{}", String::from_utf8_lossy(&output.stderr)))
    };
    let store = H::open(&path, 0).unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    assert_eq!(second(), format!("{:?}", Err::<(), _>(StoreErrorKind::Locked)));
    // The first process is not affected.
    store.commit(vec![open(2, 1, 3)]).await.unwrap();
    assert_eq!(store.devices(user(1)).await.unwrap().len(), 0);
    drop(store);
    assert_eq!(second(), format!("{:?}", Ok::<_, StoreErrorKind>(())));
}
