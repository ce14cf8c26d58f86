//! Folders, locks, schema versions, databases of hosts, snapshots, damage.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use dm_core::store::*;
use dm_store_fjall::{FjallConfig, FjallStore};
use fjall::{Database, KeyspaceCreateOptions, PersistMode};

use crate::common::{self, answer, append, expire, numbers, open, register, user, who, whole_inbox};

// The numbers of tables, which are the first bytes of keys.
const USER_IDS: u8 = 2;
const MESSAGES: u8 = 9;
const INBOX: u8 = 13;
const FLOORS: u8 = 14;

/// Writes a folder, and closes it: a conversation of users 1 and 2, with `messages` messages from
/// user 1 each in a commit of its own.
async fn written(folder: &Path, messages: u64) {
    let store = FjallStore::open(folder).unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    for id in 1..=messages {
        store.commit(vec![append(1, 1, id, 5)]).await.unwrap();
    }
}

/// Changes one row in a closed folder. `table` is the number of the row's table.
fn put(folder: &Path, table: u8, key: &[u8], value: &[u8]) {
    let database = Database::builder(folder).open().unwrap();
    let keyspace = match table {
        MESSAGES => "dm_messages",
        INBOX => "dm_logs",
        _ => "dm_rows",
    };
    let keyspace = database.keyspace(keyspace, KeyspaceCreateOptions::default).unwrap();
    keyspace.insert([&[table], key].concat(), value).unwrap();
    database.persist(PersistMode::SyncAll).unwrap();
}

/// The path and the content of every file in a folder and its subfolders.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                found.insert(path, bytes);
            }
        }
    }
    found
}

/// Copies a folder that is open, as a crash at this moment would leave it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, target).unwrap();
        }
    }
}

/// The path of the newest journal, and the offset of the end of its last batch. The file is longer.
fn journal(folder: &Path) -> (PathBuf, usize) {
    let (path, bytes) =
        contents(folder).into_iter().rfind(|(path, _)| path.extension() == Some("jnl".as_ref())).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    (path, end)
}

#[tokio::test]
async fn messages_and_devices_survive_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let store = FjallStore::open(folder.path()).unwrap();
    store.commit(vec![open(1, 1, 2), append(1, 1, 1, 5), register(who(2))]).await.unwrap();
    drop(store);
    let store = FjallStore::open(folder.path()).unwrap();
    assert_eq!(numbers(&store, 1).await, [1, 2]);
    assert_eq!(numbers(&store, 2).await, [1, 2]);
    assert_eq!(store.devices(user(2)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn numbers_continue_after_all_entries_expired_and_the_store_was_reopened() {
    let folder = tempfile::tempdir().unwrap();
    let store = FjallStore::open(folder.path()).unwrap();
    store.commit(vec![open(1, 1, 2), append(1, 1, 1, 5)]).await.unwrap();
    store.commit(vec![expire(100, 100)]).await.unwrap();
    assert!(numbers(&store, 1).await.is_empty());
    drop(store);
    let store = FjallStore::open(folder.path()).unwrap();
    store.commit(vec![append(1, 1, 2, 200)]).await.unwrap();
    assert_eq!(numbers(&store, 1).await, [3]);
    let state = store.conversation(common::conversation(1)).await.unwrap().unwrap();
    assert_eq!(state.head.get(), 2);
}

#[tokio::test]
async fn expiry_in_small_steps_removes_the_same_entries_as_one_large_step() {
    let folder = tempfile::tempdir().unwrap();
    let store = FjallStore::open(folder.path()).unwrap();
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
async fn entries_with_older_times_than_expired_entries_expire() {
    let folder = tempfile::tempdir().unwrap();
    let store = FjallStore::open(folder.path()).unwrap();
    store.commit(vec![open(1, 1, 2), append(1, 1, 1, 500)]).await.unwrap();
    store.commit(vec![expire(501, 100)]).await.unwrap();
    // These times are before those of the expired entries, as after the clock was set back.
    store.commit(vec![append(1, 1, 2, 7)]).await.unwrap();
    let outcome = store.commit(vec![expire(8, 100)]).await.unwrap();
    let answer = answer(&outcome[0]);
    assert!(matches!(answer, Some(Answer::Expired { entries: 2, more: false })), "{answer:?}");
    assert!(numbers(&store, 1).await.is_empty());
}

#[tokio::test]
async fn a_copy_of_an_open_folder_has_every_answered_commit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm");
    let store = FjallStore::open(&path).unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    for id in 1..=5 {
        store.commit(vec![append(1, 1, id, 5)]).await.unwrap();
        // The copy has the content of the disk if the process were killed here.
        let crashed = folder.path().join(format!("crashed-{id}"));
        copy(&path, &crashed);
        let crashed = FjallStore::open(&crashed).unwrap();
        assert_eq!(numbers(&crashed, 2).await, (1..=id + 1).collect::<Vec<_>>());
        crashed.commit(vec![append(1, 2, 1_000, 6)]).await.unwrap();
        assert_eq!(numbers(&crashed, 1).await.last(), Some(&(id + 2)));
    }
}

#[tokio::test]
async fn a_truncated_journal_is_refused_as_corrupt_or_has_a_prefix_of_the_commits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm");
    written(&path, 8).await;
    let (file, end) = journal(&path);
    let file = file.strip_prefix(&path).unwrap();
    let mut seen = Vec::new();
    // The journal is truncated at many offsets. Each time it is opened as it is, and with zeros
    // after its end.
    for cut in (0..20).map(|part| end - part * end / 25) {
        for zeros in [false, true] {
            let torn = folder.path().join("torn");
            copy(&path, &torn);
            let mut bytes = std::fs::read(torn.join(file)).unwrap();
            bytes.truncate(cut);
            if zeros {
                bytes.resize(cut + 4096, 0);
            }
            std::fs::write(torn.join(file), bytes).unwrap();
            match FjallStore::open(&torn) {
                Err(error) => assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{cut} of {end}"),
                Ok(store) => {
                    let [sent, received] = [numbers(&store, 1).await, numbers(&store, 2).await];
                    assert_eq!(sent, received, "a batch is there in part, cut at {cut} of {end}");
                    assert_eq!(sent, (1..=sent.len() as u64).collect::<Vec<_>>());
                    seen.push(sent.len());
                    if !sent.is_empty() {
                        store.commit(vec![append(1, 1, 1_000, 6)]).await.unwrap();
                        assert_eq!(numbers(&store, 2).await.len(), sent.len() + 1);
                    }
                }
            }
            std::fs::remove_dir_all(&torn).unwrap();
        }
    }
    assert!(seen.contains(&9), "all messages are there if the journal is not truncated");
    assert!(seen.iter().min() < Some(&8), "a cut must have reached older batches: {seen:?}");
}

#[tokio::test]
async fn a_second_open_is_refused_as_locked_until_the_first_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let store = FjallStore::open(folder.path()).unwrap();
    let clone = store.clone();
    assert_eq!(FjallStore::open(folder.path()).unwrap_err().kind(), StoreErrorKind::Locked);
    drop(store);
    assert_eq!(FjallStore::open(folder.path()).unwrap_err().kind(), StoreErrorKind::Locked);
    clone.commit(vec![open(1, 1, 2)]).await.unwrap();
    drop(clone);
    assert_eq!(numbers(&FjallStore::open(folder.path()).unwrap(), 1).await, [1]);
}

#[tokio::test]
async fn in_a_hosts_database_only_the_stores_keyspaces_are_changed() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::builder(folder.path()).open().unwrap();
    let people = database.keyspace("people", KeyspaceCreateOptions::default).unwrap();
    people.insert("1", "ana").unwrap();
    let store = FjallStore::from_database(database.clone(), &FjallConfig::default()).unwrap();
    store.commit(vec![open(1, 1, 2), append(1, 1, 1, 5)]).await.unwrap();
    // A write of the host between two commits of the store.
    people.insert("2", "bo").unwrap();
    store.commit(vec![append(1, 2, 2, 6)]).await.unwrap();
    assert_eq!(numbers(&store, 2).await, [1, 2, 3]);
    drop(store);

    let names = database.list_keyspace_names();
    let others: Vec<_> = names.iter().filter(|name| !name.starts_with("dm_")).map(|name| &**name).collect();
    assert_eq!(others, ["people"]);
    let names: Vec<_> = people.iter().map(|row| row.value().unwrap().to_vec()).collect();
    assert_eq!(names, [b"ana".to_vec(), b"bo".to_vec()]);
    assert!(!folder.path().join("dm_schema").exists(), "a host's folder gets no marker");
}

#[tokio::test]
async fn two_stores_in_one_database_give_numbers_without_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::builder(folder.path()).open().unwrap();
    let stores =
        [(); 2].map(|()| FjallStore::from_database(database.clone(), &FjallConfig::default()).unwrap());
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

/// Sets a flag when it is dropped, also by a panic.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A snapshot of fjall alone has a part of a batch if a flush in the background completes while the
/// batch is being committed.
#[test]
fn no_reader_sees_a_part_of_a_batch_while_tables_are_flushed() {
    const BATCH: u64 = 500;
    let folder = tempfile::tempdir().unwrap();
    let database = Database::builder(folder.path()).open().unwrap();
    let store = FjallStore::from_database(database.clone(), &FjallConfig::default()).unwrap();
    let host = database.keyspace("host", KeyspaceCreateOptions::default).unwrap();
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let writing = runtime();
    writing.block_on(store.commit(vec![open(1, 1, 2)])).unwrap();

    let is_over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let _set_on_drop = SetOnDrop(&is_over);
        let is_running = || !is_over.load(Ordering::Relaxed);
        // The host's table is flushed in a loop.
        threads.spawn(move || {
            while is_running() {
                host.insert("key", "value").unwrap();
                host.rotate_memtable_and_wait().unwrap();
            }
        });
        let reading = store.clone();
        let reader = threads.spawn(move || {
            let runtime = runtime();
            let mut heads = std::collections::BTreeSet::new();
            while is_running() {
                let state = runtime.block_on(reading.conversation(common::conversation(1)));
                heads.insert(state.unwrap().unwrap().head.get());
            }
            heads
        });
        for batch in 0..40 {
            let sends = (1..=BATCH).map(|n| append(1, 1, batch * BATCH + n, 5)).collect();
            writing.block_on(store.commit(sends)).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        let parts: Vec<_> = reader.join().unwrap().into_iter().filter(|head| head % BATCH != 0).collect();
        assert!(parts.is_empty(), "parts of batches were seen: {parts:?}");
    });
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_the_folder_is_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), 1).await;
    std::fs::write(folder.path().join("dm_schema"), "1000\n").unwrap();
    let before = contents(folder.path());
    assert_eq!(FjallStore::open(folder.path()).unwrap_err().kind(), StoreErrorKind::NewerSchema);
    assert!(contents(folder.path()) == before, "a file is changed");
}

#[tokio::test]
async fn a_newer_schema_in_a_hosts_database_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::builder(folder.path()).open().unwrap();
    let schema = database.keyspace("dm_rows", KeyspaceCreateOptions::default).unwrap();
    schema.insert("\0version", 1_000_u32.to_be_bytes()).unwrap();
    let refused = FjallStore::from_database(database.clone(), &FjallConfig::default()).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::NewerSchema);
    assert_eq!(database.keyspace_count(), 1);
    assert_eq!(schema.get("\0version").unwrap().unwrap().to_vec(), 1_000_u32.to_be_bytes());
}

#[test]
fn a_path_that_cannot_be_a_folder_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "this is a letter, and not a database\n").unwrap();
    for path in [folder.path().join("none/dm"), file.join("dm"), file] {
        assert_eq!(FjallStore::open(&path).unwrap_err().kind(), StoreErrorKind::Unavailable, "{path:?}");
    }
}

#[test]
fn a_database_of_another_format_is_refused_as_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("version"), "FJL\u{2}").unwrap();
    assert_eq!(FjallStore::open(folder.path()).unwrap_err().kind(), StoreErrorKind::Corrupt);
}

#[tokio::test]
async fn a_folder_with_a_missing_file_is_refused_as_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm");
    written(&path, 3).await;
    for (n, piece) in ["version", "keyspaces", "keyspaces/0"].into_iter().enumerate() {
        let broken = folder.path().join(format!("broken-{n}"));
        copy(&path, &broken);
        let piece = broken.join(piece);
        if piece.is_dir() {
            std::fs::remove_dir_all(&piece).unwrap();
        } else {
            std::fs::remove_file(&piece).unwrap();
        }
        let error = FjallStore::open(&broken).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "without {piece:?}: {error:?}");
    }
}

#[cfg(unix)]
#[test]
fn only_its_user_can_access_a_new_folder() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm");
    let _store = FjallStore::open(&path).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn sizes_that_are_too_small_are_refused_and_nothing_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm");
    let mut small_tables = FjallConfig::default();
    small_tables.memtable_bytes = FjallConfig::MIN_MEMTABLE_BYTES - 1;
    let mut small_journals = FjallConfig::default();
    small_journals.journal_bytes = FjallConfig::MIN_JOURNAL_BYTES - 1;
    for config in [small_tables, small_journals] {
        assert_eq!(FjallStore::open_with(&path, &config).unwrap_err().kind(), StoreErrorKind::Engine);
        assert!(!path.exists());
    }
    let mut smallest = FjallConfig::default();
    smallest.memtable_bytes = FjallConfig::MIN_MEMTABLE_BYTES;
    smallest.journal_bytes = FjallConfig::MIN_JOURNAL_BYTES;
    FjallStore::open_with(&path, &smallest).unwrap();
}

#[tokio::test]
async fn reading_a_damaged_row_fails_as_corrupt() {
    let first_entry = [[0, 0, 0, 1].as_slice(), &1_u64.to_be_bytes()].concat();
    let second_entry = [[0, 0, 0, 1].as_slice(), &2_u64.to_be_bytes()].concat();
    let pointer = |row: u64| [[0; 8].as_slice(), &[255, 1], &row.to_be_bytes()].concat();
    let one = 1_u64.to_be_bytes();
    let ana = user(1);
    let damages: [(u8, &[u8], Vec<u8>); 9] = [
        (MESSAGES, &one, vec![]),
        (MESSAGES, &one, vec![0; 100]),
        (MESSAGES, &one, vec![255; 200]),
        (INBOX, &first_entry, vec![0; 9]),
        (INBOX, &first_entry, vec![9; 40]),
        (INBOX, &second_entry, pointer(1_000)),
        (INBOX, &[0, 0, 0, 1, 7], pointer(1)),
        (USER_IDS, ana.as_bytes(), vec![1]),
        (FLOORS, &[0, 0, 0, 1], vec![1]),
    ];
    for (table, key, value) in damages {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path(), 1).await;
        // User 1 has ref 1 or 2, depending on the order of the two public keys. So both inboxes are
        // damaged in the same way.
        put(folder.path(), table, key, &value);
        if table == INBOX || table == FLOORS {
            let mut other = key.to_vec();
            other[3] = 2;
            put(folder.path(), table, &other, &value);
        }
        let store = FjallStore::open(folder.path()).unwrap();
        let error = store.inbox(whole_inbox(who(1))).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{table} {key:?}: {error:?}");
    }
}
