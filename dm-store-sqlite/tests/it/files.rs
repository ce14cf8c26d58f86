//! The file of a SQLite store: reopening it, sharing it with a host, a full, locked or damaged
//! file, and the number of open file descriptors.

use std::path::Path;

use dm_conformance::outcome::answer;
use dm_core::store::*;
use dm_store_sqlite::{FileOwner, SqliteConfig, SqliteStore};
use rusqlite::Connection;

use crate::common::{self, append, at, open, register, user, who, whole_inbox};

/// The configuration for a file of the host.
fn host_config() -> SqliteConfig {
    let mut config = SqliteConfig::default();
    config.owner = FileOwner::Host;
    config
}

/// The numbers of the entries in the inbox of user `n`.
async fn numbers(store: &SqliteStore, n: u64) -> Vec<u64> {
    store.inbox(whole_inbox(who(n))).await.unwrap().entries.iter().map(|entry| entry.seq.get()).collect()
}

/// The value of a pragma in the file.
fn pragma<T: rusqlite::types::FromSql>(path: &Path, name: &str) -> T {
    Connection::open(path).unwrap().query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn stored_data_is_unchanged_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.db");
    let store = SqliteStore::open(&path).unwrap();
    store.commit(vec![open(1, 1, 2), append(1, 1, 1, 5), register(who(2))]).await.unwrap();
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(numbers(&store, 1).await, [1, 2]);
    assert_eq!(numbers(&store, 2).await, [1, 2]);
    assert_eq!(store.devices(user(2)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn numbers_continue_after_all_entries_expired_and_the_store_was_reopened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.db");
    let store = SqliteStore::open(&path).unwrap();
    store.commit(vec![open(1, 1, 2), append(1, 1, 1, 5)]).await.unwrap();
    store.commit(vec![Expire { before: at(100), limit: 100 }.into()]).await.unwrap();
    assert!(numbers(&store, 1).await.is_empty());
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    store.commit(vec![append(1, 1, 2, 200)]).await.unwrap();
    assert_eq!(numbers(&store, 1).await, [3]);
    let state = store.conversation(common::conversation(1)).await.unwrap().unwrap();
    assert_eq!(state.head.get(), 2);
}

#[tokio::test]
async fn expiry_in_small_steps_ends_where_one_large_step_ends() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("dm.db")).unwrap();
    let mut batch = vec![open(1, 1, 2), open(2, 3, 4)];
    batch.extend((1..=20).map(|n| append(1 + n % 2, 1 + 2 * (n % 2), n, n)));
    store.commit(batch).await.unwrap();
    let mut removed = 0;
    for limit in [1, 2, 3, 4, 5, 6, 7, 8] {
        let outcome = store.commit(vec![Expire { before: at(15), limit }.into()]).await.unwrap();
        let Some(Answer::Expired { entries, more }) = outcome.first().and_then(answer) else {
            panic!("{outcome:?}")
        };
        let (entries, more) = (*entries, *more);
        assert!(entries <= limit);
        removed += entries;
        assert_eq!(more, removed < 32, "after {removed}");
    }
    // Two notices in each of two conversations, and 14 messages in two inboxes each.
    assert_eq!(removed, 32);
    assert_eq!(numbers(&store, 1).await, [9, 10, 11]);
}

#[tokio::test]
async fn two_handles_that_write_to_one_file_leave_no_gap_in_the_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.db");
    let stores = [SqliteStore::open(&path).unwrap(), SqliteStore::open(&path).unwrap()];
    stores[0].commit(vec![open(1, 1, 2)]).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..40 {
        let store = stores[n % 2].clone();
        tasks.spawn(
            async move { store.commit(vec![append(1, 1 + (n as u64 % 2), n as u64, 5)]).await.unwrap() },
        );
    }
    tasks.join_all().await;
    let expected: Vec<u64> = (1..=41).collect();
    assert_eq!(numbers(&stores[0], 1).await, expected);
    assert_eq!(numbers(&stores[1], 2).await, expected);
}

#[tokio::test]
async fn the_store_leaves_the_tables_and_settings_of_a_hosts_file_unchanged() {
    for wal in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host.db");
        let mode = if wal { "wal" } else { "delete" };
        let host = Connection::open(&path).unwrap();
        host.pragma_update(None, "journal_mode", mode).unwrap();
        host.execute_batch(
            "PRAGMA user_version = 7; PRAGMA application_id = 99;
             CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users (name) VALUES ('ana');",
        )
        .unwrap();
        let store = SqliteStore::open_with(&path, &host_config()).unwrap();
        store.commit(vec![open(1, 1, 2), append(1, 1, 1, 5)]).await.unwrap();
        assert_eq!(numbers(&store, 2).await, [1, 2]);
        // The host writes on its own connection, between two commits of the store.
        host.execute("INSERT INTO users (name) VALUES ('bo')", []).unwrap();
        store.commit(vec![append(1, 2, 2, 6)]).await.unwrap();
        assert_eq!(numbers(&store, 2).await, [1, 2, 3]);
        drop(store);

        assert_eq!(pragma::<i64>(&path, "user_version"), 7);
        assert_eq!(pragma::<i64>(&path, "application_id"), 99);
        assert_eq!(pragma::<String>(&path, "journal_mode"), mode);
        let names: Vec<String> = host
            .prepare("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'dm\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(names, ["users"]);
        let people: i64 = host.query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap();
        assert_eq!(people, 2);
    }
}

#[test]
fn a_hosts_file_must_exist() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.db");
    let refused = SqliteStore::open_with(&path, &host_config()).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unavailable);
    assert!(!path.exists());
}

#[test]
fn a_newer_schema_is_refused_and_the_file_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.db");
    drop(SqliteStore::open(&path).unwrap());
    let newer = Connection::open(&path).unwrap();
    newer.execute_batch("PRAGMA journal_mode = DELETE; UPDATE dm_schema SET version = 1000").unwrap();
    drop(newer);
    let before = std::fs::read(&path).unwrap();
    let refused = SqliteStore::open(&path).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::NewerSchema);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no log beside it");
}

#[test]
fn a_file_that_is_not_a_database_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.db");
    let text = "this is a letter, and not a database\n".repeat(200);
    std::fs::write(&path, &text).unwrap();
    assert_eq!(SqliteStore::open(&path).unwrap_err().kind(), StoreErrorKind::Corrupt);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[cfg(unix)]
#[test]
fn a_new_file_is_for_its_user_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.db");
    let store = SqliteStore::open(&path).unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
    drop(store);
}

#[tokio::test]
async fn a_full_file_is_a_typed_error_until_entries_expire() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.db");
    drop(Connection::open(&path).unwrap());
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 1").unwrap();
    let mut config = host_config();
    config.max_pages = Some(60);
    let store = SqliteStore::open_with(&path, &config).unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    let mut stored = 0;
    let error = loop {
        let batch = (0..8).map(|n| append(1, 1, stored * 8 + n, 5)).collect();
        match store.commit(batch).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 1_000, "the file never filled up");
    };
    assert_eq!(error.kind(), StoreErrorKind::Full);
    let all: Vec<u64> = (1..=1 + stored * 8).collect();
    assert_eq!(numbers(&store, 2).await, all, "the failed batch left nothing");
    // Expiry frees space in the same file.
    store.commit(vec![Expire { before: at(100), limit: 10_000 }.into()]).await.unwrap();
    store.commit(vec![append(1, 1, 900_000, 200)]).await.unwrap();
    assert_eq!(numbers(&store, 2).await, [2 + stored * 8]);
}

#[tokio::test]
async fn a_locked_file_is_unavailable_until_the_lock_is_released() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.db");
    let mut config = SqliteConfig::default();
    config.busy_timeout = std::time::Duration::from_millis(20);
    let store = SqliteStore::open_with(&path, &config).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.commit(vec![open(1, 1, 2)]).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unavailable);
    assert!(store.conversation(common::conversation(1)).await.unwrap().is_none(), "readers do not wait");
    other.execute_batch("ROLLBACK").unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    assert_eq!(numbers(&store, 1).await, [1]);
}

#[tokio::test]
async fn a_damaged_row_is_a_typed_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.db");
    let store = SqliteStore::open(&path).unwrap();
    store.commit(vec![open(1, 1, 2), append(1, 1, 1, 5)]).await.unwrap();
    let damaging = Connection::open(&path).unwrap();
    for damage in [
        "UPDATE dm_messages SET nonce = x'00'",
        "UPDATE dm_messages SET nonce = zeroblob(24), payload = x''",
        "UPDATE dm_messages SET payload = x'01', id = 'text'",
        "UPDATE dm_recent_inbox_0 SET notice = x'01', message = NULL",
        "UPDATE dm_recent_inbox_0 SET origin = 'not a device!'",
    ] {
        damaging.execute_batch(damage).unwrap();
        let error = store.inbox(whole_inbox(who(1))).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{damage}: {error:?}");
    }
}

#[tokio::test]
async fn reads_wait_while_all_connections_are_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = SqliteConfig::default();
    config.readers = std::num::NonZeroUsize::MIN;
    let store = SqliteStore::open_with(folder.path().join("dm.db"), &config).unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let store = store.clone();
        tasks.spawn(async move { store.inbox(whole_inbox(who(1))).await.unwrap().entries.len() });
    }
    assert_eq!(tasks.join_all().await, [1; 64]);
}

/// The number of file descriptors of this process for files in a folder.
#[cfg(target_os = "linux")]
fn descriptor_count(folder: &Path) -> usize {
    let all = std::fs::read_dir("/proc/self/fd").unwrap();
    all.filter(|entry| {
        let target = std::fs::read_link(entry.as_ref().unwrap().path());
        target.is_ok_and(|target| target.starts_with(folder))
    })
    .count()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn reads_need_no_file_descriptor_after_the_store_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("dm.db")).unwrap();
    let opened = descriptor_count(folder.path());
    store.commit(vec![open(1, 1, 2), append(1, 1, 1, 5), register(who(2))]).await.unwrap();
    let reads: Vec<_> = (0..64)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { numbers(&store, 1).await })
        })
        .collect();
    for read in reads {
        assert_eq!(read.await.unwrap(), [1, 2]);
    }
    assert_eq!(descriptor_count(folder.path()), opened);
}
