//! The file of a redb store: locks, schema versions, a host's database, damage.

use std::path::Path;
use std::sync::Arc;

use dm_core::store::*;
use dm_store_redb::{Recovery, RedbConfig, RedbStore};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableHandle};

use crate::common::{self, answer, append, expire, numbers, open, register, user, who, whole_inbox};

const SCHEMA: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("dm_schema");

/// Creates a closed file with a conversation of users 1 and 2 and `messages` messages from user 1.
async fn written(path: &Path, messages: u64) {
    let store = RedbStore::open(path).unwrap();
    let batch = [open(1, 1, 2)].into_iter().chain((1..=messages).map(|id| append(1, 1, id, 5))).collect();
    store.commit(batch).await.unwrap();
}

/// Sets one row of a table in a closed file.
fn put(path: &Path, table: &str, key: &[u8], value: &[u8]) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    let definition = TableDefinition::<&[u8], &[u8]>::new(table);
    transaction.open_table(definition).unwrap().insert(key, value).unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();
}

#[tokio::test]
async fn messages_and_devices_survive_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.redb");
    for recovery in [Recovery::Quick, Recovery::Walk] {
        let mut config = RedbConfig::default();
        config.recovery = recovery;
        let store = RedbStore::open_with(&path, &config).unwrap();
        store.commit(vec![open(1, 1, 2), append(1, 1, 1, 5), register(who(2))]).await.unwrap();
        drop(store);
    }
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(numbers(&store, 1).await, [1, 2, 3]);
    assert_eq!(numbers(&store, 2).await, [1, 2, 3]);
    assert_eq!(store.devices(user(2)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn numbers_continue_after_all_entries_expired_and_the_store_was_reopened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.redb");
    let store = RedbStore::open(&path).unwrap();
    store.commit(vec![open(1, 1, 2), append(1, 1, 1, 5)]).await.unwrap();
    store.commit(vec![expire(100, 100)]).await.unwrap();
    assert!(numbers(&store, 1).await.is_empty());
    drop(store);
    let store = RedbStore::open(&path).unwrap();
    store.commit(vec![append(1, 1, 2, 200)]).await.unwrap();
    assert_eq!(numbers(&store, 1).await, [3]);
    let state = store.conversation(common::conversation(1)).await.unwrap().unwrap();
    assert_eq!(state.head.get(), 2);
}

#[tokio::test]
async fn expiry_in_small_steps_removes_the_same_entries_as_one_large_step() {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbStore::open(folder.path().join("dm.redb")).unwrap();
    let mut batch = vec![open(1, 1, 2), open(2, 3, 4)];
    batch.extend((1..=20).map(|n| append(1 + n % 2, 1 + 2 * (n % 2), n, n)));
    store.commit(batch).await.unwrap();
    let mut removed = 0;
    for limit in [0, 1, 2, 3, 4, 5, 6, 7, 8] {
        let outcome = store.commit(vec![expire(15, limit)]).await.unwrap();
        let Some(&Answer::Expired { entries, more }) = answer(&outcome[0]) else { panic!("{outcome:?}") };
        assert!(entries <= limit);
        removed += entries;
        assert_eq!(more, removed < 32, "after {removed}");
    }
    // Two notices in each of two conversations, and 14 messages in two inboxes each.
    assert_eq!(removed, 32);
    assert_eq!(numbers(&store, 1).await, [9, 10, 11]);
}

#[tokio::test]
async fn a_copy_of_an_open_file_has_every_answered_commit() {
    let folder = tempfile::tempdir().unwrap();
    for recovery in [Recovery::Quick, Recovery::Walk] {
        let path = folder.path().join(format!("{recovery:?}"));
        let mut config = RedbConfig::default();
        config.recovery = recovery;
        let store = RedbStore::open_with(&path, &config).unwrap();
        store.commit(vec![open(1, 1, 2)]).await.unwrap();
        for id in 1..=20 {
            store.commit(vec![append(1, 1, id, 5)]).await.unwrap();
            // The copy has the content that the file would have if the process were killed here.
            let copy = folder.path().join("copy");
            std::fs::copy(&path, &copy).unwrap();
            let copy = RedbStore::open(&copy).unwrap();
            assert_eq!(numbers(&copy, 2).await, (1..=id + 1).collect::<Vec<_>>(), "{recovery:?}");
            copy.commit(vec![append(1, 2, 1_000, 6)]).await.unwrap();
            assert_eq!(numbers(&copy, 1).await.last(), Some(&(id + 2)));
        }
    }
}

#[tokio::test]
async fn a_second_open_is_refused_as_locked_until_the_first_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.redb");
    let store = RedbStore::open(&path).unwrap();
    let clone = store.clone();
    assert_eq!(RedbStore::open(&path).unwrap_err().kind(), StoreErrorKind::Locked);
    drop(store);
    assert_eq!(RedbStore::open(&path).unwrap_err().kind(), StoreErrorKind::Locked);
    clone.commit(vec![open(1, 1, 2)]).await.unwrap();
    drop(clone);
    assert_eq!(numbers(&RedbStore::open(&path).unwrap(), 1).await, [1]);
}

#[tokio::test]
async fn in_a_hosts_database_only_the_stores_tables_are_changed() {
    const PEOPLE: TableDefinition<'_, u64, &str> = TableDefinition::new("people");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.redb");
    let database = Arc::new(Database::create(&path).unwrap());
    let name = |n: u64, name: &str| {
        let transaction = database.begin_write().unwrap();
        transaction.open_table(PEOPLE).unwrap().insert(n, name).unwrap();
        transaction.commit().unwrap();
    };
    name(1, "ana");
    let store = RedbStore::from_database(Arc::clone(&database), &RedbConfig::default()).unwrap();
    store.commit(vec![open(1, 1, 2), append(1, 1, 1, 5)]).await.unwrap();
    // A transaction of the host between two commits of the store.
    name(2, "bo");
    store.commit(vec![append(1, 2, 2, 6)]).await.unwrap();
    assert_eq!(numbers(&store, 2).await, [1, 2, 3]);
    drop(store);

    let transaction = database.begin_read().unwrap();
    let others = transaction.list_tables().unwrap().filter(|table| !table.name().starts_with("dm_"));
    assert_eq!(others.map(|table| table.name().to_owned()).collect::<Vec<_>>(), ["people"]);
    let people = transaction.open_table(PEOPLE).unwrap();
    let people: Vec<_> = people.iter().unwrap().map(|row| row.unwrap().1.value().to_owned()).collect();
    assert_eq!(people, ["ana", "bo"]);
}

#[tokio::test]
async fn two_stores_in_one_database_give_numbers_without_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let database = Arc::new(Database::create(folder.path().join("host.redb")).unwrap());
    let stores =
        [(); 2].map(|()| RedbStore::from_database(Arc::clone(&database), &RedbConfig::default()).unwrap());
    stores[0].commit(vec![open(1, 1, 2)]).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..40 {
        let store = stores[usize::from(n % 2 == 1)].clone();
        tasks.spawn(async move { store.commit(vec![append(1, 1 + n % 2, n, 5)]).await.unwrap() });
    }
    tasks.join_all().await;
    let expected: Vec<u64> = (1..=41).collect();
    assert_eq!(numbers(&stores[0], 1).await, expected);
    assert_eq!(numbers(&stores[1], 2).await, expected);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_the_file_is_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.redb");
    written(&path, 1).await;
    put(&path, "dm_schema", b"version", &1_000_u32.to_be_bytes());
    let before = std::fs::read(&path).unwrap();
    assert_eq!(RedbStore::open(&path).unwrap_err().kind(), StoreErrorKind::NewerSchema);
    assert!(std::fs::read(&path).unwrap() == before, "the file is changed");

    let database = Arc::new(Database::open(&path).unwrap());
    let refused = RedbStore::from_database(Arc::clone(&database), &RedbConfig::default()).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::NewerSchema);
    let schema = database.begin_read().unwrap().open_table(SCHEMA).unwrap();
    assert_eq!(schema.get(b"version".as_slice()).unwrap().unwrap().value(), 1_000_u32.to_be_bytes());
}

#[test]
fn a_file_that_is_not_a_database_is_refused_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.redb");
    for length in [1, 20, 200, 5_000] {
        let text = "this is a letter, and not a database\n".repeat(length);
        std::fs::write(&path, &text).unwrap();
        assert_eq!(RedbStore::open(&path).unwrap_err().kind(), StoreErrorKind::Corrupt);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_folder_that_is_missing_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("none/dm.redb"), folder.path().to_owned()] {
        assert_eq!(RedbStore::open(&path).unwrap_err().kind(), StoreErrorKind::Unavailable, "{path:?}");
    }
}

#[test]
fn an_empty_file_becomes_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.redb");
    std::fs::write(&path, []).unwrap();
    drop(RedbStore::open(&path).unwrap());
    drop(RedbStore::open(&path).unwrap());
}

#[tokio::test]
async fn a_truncated_file_is_refused_as_corrupt_or_has_all_messages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.redb");
    written(&path, 300).await;
    let whole = std::fs::read(&path).unwrap();
    let mut opened = 0;
    for part in 1..16 {
        let cut = folder.path().join(format!("cut-{part}"));
        std::fs::write(&cut, &whole[..whole.len() * part / 16]).unwrap();
        match RedbStore::open(&cut) {
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{part}/16: {error:?}"),
            // Only unused space at the end is missing. Then all rows must be there.
            Ok(store) => {
                opened += 1;
                assert_eq!(numbers(&store, 2).await, (1..=301).collect::<Vec<_>>(), "{part}/16");
            }
        }
    }
    assert!(opened < 15, "no truncated file was refused");
}

#[cfg(unix)]
#[test]
fn only_its_user_can_access_a_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.redb");
    let _store = RedbStore::open(&path).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_cache_that_is_too_small_is_refused_and_nothing_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.redb");
    let mut config = RedbConfig::default();
    config.cache_bytes = RedbConfig::MIN_CACHE_BYTES - 1;
    assert_eq!(RedbStore::open_with(&path, &config).unwrap_err().kind(), StoreErrorKind::Engine);
    assert!(!path.exists());
    config.cache_bytes += 1;
    RedbStore::open_with(&path, &config).unwrap();
}

#[tokio::test]
async fn reading_a_damaged_row_fails_as_corrupt() {
    let first_entry = [[0, 0, 0, 1].as_slice(), &1_u64.to_be_bytes()].concat();
    let second_entry = [[0, 0, 0, 1].as_slice(), &2_u64.to_be_bytes()].concat();
    let pointer = |row: u64| [[0; 8].as_slice(), &[255, 1], &row.to_be_bytes()].concat();
    let one = 1_u64.to_be_bytes();
    let ana = user(1);
    let damages: [(&str, &[u8], Vec<u8>); 8] = [
        ("dm_messages", &one, vec![]),
        ("dm_messages", &one, vec![0; 100]),
        ("dm_messages", &one, vec![255; 200]),
        ("dm_inbox_run_0", &first_entry, vec![0; 9]),
        ("dm_inbox_run_0", &first_entry, vec![9; 40]),
        ("dm_inbox_run_0", &second_entry, pointer(1_000)),
        ("dm_inbox_run_0", &[0, 0, 0, 1, 7], pointer(1)),
        ("dm_user_ids", ana.as_bytes(), vec![1]),
    ];
    for (table, key, value) in damages {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dm.redb");
        written(&path, 1).await;
        // User 1 has ref 1 or 2, depending on the order of the two public keys. So both inboxes are
        // damaged in the same way.
        put(&path, table, key, &value);
        if table == "dm_inbox_run_0" {
            let mut other = key.to_vec();
            other[3] = 2;
            put(&path, table, &other, &value);
        }
        let store = RedbStore::open(&path).unwrap();
        let error = store.inbox(whole_inbox(who(1))).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{table} {key:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_damaged_row_fails_its_batch_and_the_store_stays_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.redb");
    written(&path, 1).await;
    put(&path, "dm_user_ids", user(1).as_bytes(), &[1]);
    let store = RedbStore::open(&path).unwrap();
    for _ in 0..2 {
        let error = store.commit(vec![open(8, 1, 8)]).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error:?}");
        assert_eq!(store.status().availability, Availability::Open);
        store.commit(vec![open(9, 8, 9)]).await.unwrap();
    }
}
