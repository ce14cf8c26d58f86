//! A second process on a store that is open.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dm_conformance::build::{append, open, user, who};
use dm_conformance::process::command;
use dm_core::store::{InboxQuery, InboxSeq, Outcome, OwnEntries, Store as _, StoreErrorKind};

use crate::harness::DiskHarness;

/// The messages that each of two processes sends.
const EACH: u64 = 100;

const STORE: &str = "DM_DISK_SECOND";

/// Two processes write to one store at once: they wait for each other, and every number is there
/// once.
///
/// The test of a path calls this, and is run once more as the second process.
///
/// # Panics
/// When it is not so.
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
    // The rest that it says is passed over, so that the pipe is empty.
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

/// Sends one message after another, from a first id on.
async fn send<H: DiskHarness>(store: &H::Store, first: u64) {
    for id in first..first + EACH {
        let outcomes = store.commit(vec![append(1, 1, id).into()]).await.unwrap();
        assert!(matches!(outcomes[0], Outcome::MessageAppended(_)), "{outcomes:?}");
    }
}

fn second_process(test: &str, store: &Path) -> Command {
    let mut second = command(test);
    second.env(STORE, store);
    second
}

/// A second process is refused as locked, changes nothing, and gets the store once the first one
/// closed it.
///
/// The test of a path calls this, and is run once more as the second process.
///
/// # Panics
/// When it is not so.
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
    // The first one does not notice.
    store.commit(vec![open(2, 1, 3)]).await.unwrap();
    assert_eq!(store.devices(user(1)).await.unwrap().len(), 0);
    drop(store);
    assert_eq!(second(), format!("{:?}", Ok::<_, StoreErrorKind>(())));
}
