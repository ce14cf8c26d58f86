//! Notes, which are copies of the newest numbers in rows, and folders of schema version 1, which
//! has no notes.

use std::path::Path;

use dm_core::store::*;
use dm_store_fjall::{FjallConfig, FjallStore};
use fjall::{Database, KeyspaceCreateOptions, PersistMode};

use crate::common::{append, at, conversation, numbers, open, user, who, whole_inbox};
use crate::files::copy;

// The numbers of tables, which are the first bytes of keys.
const SCHEMA: u8 = 0;
const CONVERSATION_IDS: u8 = 6;
const FLOORS: u8 = 14;

/// Calls `look` with the keyspace `dm_rows` of a closed folder, and closes the folder again.
fn rows<T>(folder: &Path, look: impl FnOnce(&fjall::Keyspace) -> T) -> T {
    let database = Database::builder(folder).open().unwrap();
    let found = look(&database.keyspace("dm_rows", KeyspaceCreateOptions::default).unwrap());
    database.persist(PersistMode::SyncAll).unwrap();
    found
}

/// The values of a table's rows, in the order of their keys.
fn values(folder: &Path, table: u8) -> Vec<Vec<u8>> {
    rows(folder, |rows| rows.prefix([table]).map(|row| row.value().unwrap().to_vec()).collect())
}

/// Changes a folder to version 1 of the schema: the row of a conversation's id has only the ref,
/// and a user without expired entries has no row in `floors`.
fn back_to_version_1(folder: &Path) {
    rows(folder, |rows| {
        for table in [CONVERSATION_IDS, FLOORS] {
            let found: Vec<_> = rows.prefix([table]).map(|row| row.into_inner().unwrap()).collect();
            for (key, value) in found {
                let old = &value[..if table == FLOORS { 8 } else { 4 }];
                if table == FLOORS && old == [0; 8] {
                    rows.remove(key).unwrap();
                } else {
                    rows.insert(key, old).unwrap();
                }
            }
        }
        rows.insert([&[SCHEMA], b"version".as_slice()].concat(), 1_u32.to_be_bytes()).unwrap();
    });
    std::fs::write(folder.join("dm_schema"), "1\n").unwrap();
}

/// The number of the newest message of conversation 1.
async fn head(store: &FjallStore) -> u64 {
    store.conversation(conversation(1)).await.unwrap().unwrap().head.get()
}

/// Writes a folder, and closes it: a conversation of users 1 and 2 with three messages. The notice
/// of the conversation and the first message are expired.
async fn written(folder: &Path) {
    let store = FjallStore::open(folder).unwrap();
    store.commit(vec![open(1, 1, 2), append(1, 1, 1, 1)]).await.unwrap();
    store.commit(vec![Write::Expire(Expire { before: at(2), limit: 100 })]).await.unwrap();
    store.commit(vec![append(1, 1, 2, 5), append(1, 2, 3, 5)]).await.unwrap();
}

#[tokio::test]
async fn closing_a_store_writes_notes_of_the_newest_numbers() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path()).await;
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
    for floor in values(folder.path(), FLOORS) {
        assert_eq!((number(&floor[..8]), number(&floor[12..])), (2, 4));
    }
    let ids = values(folder.path(), CONVERSATION_IDS);
    assert_eq!((ids.len(), number(&ids[0][80..])), (1, 3));
}

#[tokio::test]
async fn no_number_is_given_twice_after_a_kill_with_outdated_notes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm");
    written(&path).await;
    let store = FjallStore::open(&path).unwrap();
    for since in 1..=6 {
        store.commit(vec![append(1, 1, 10 + since, 5)]).await.unwrap();
        // The copy has the content of the disk if the process were killed here.
        let killed = folder.path().join(format!("killed-{since}"));
        copy(&path, &killed);
        let killed = FjallStore::open(&killed).unwrap();
        killed.commit(vec![append(1, 2, 100, 6)]).await.unwrap();
        assert_eq!(numbers(&killed, 1).await, (3..=5 + since).collect::<Vec<_>>());
        assert_eq!(numbers(&killed, 2).await, (3..=5 + since).collect::<Vec<_>>());
        assert_eq!(head(&killed).await, 4 + since);
    }
}

#[tokio::test]
async fn a_folder_of_version_1_can_be_read_and_written() {
    for marker in ["1\n", "2\n"] {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path()).await;
        back_to_version_1(folder.path());
        // A migration writes the marker first, and may be killed right after it.
        std::fs::write(folder.path().join("dm_schema"), marker).unwrap();

        let store = FjallStore::open(folder.path()).unwrap();
        assert_eq!((numbers(&store, 1).await, head(&store).await), (vec![3, 4], 3));
        let state = store.conversation(conversation(1)).await.unwrap().unwrap();
        assert_eq!(state.conversation.participants, Participants::new(user(1), user(2)).unwrap());
        store.commit(vec![append(1, 1, 4, 6), open(2, 1, 3)]).await.unwrap();
        assert_eq!(numbers(&store, 1).await, [3, 4, 5, 6]);
        assert_eq!(store.inbox(whole_inbox(who(2))).await.unwrap().head.get(), 5);
        drop(store);
        assert_eq!(std::fs::read_to_string(folder.path().join("dm_schema")).unwrap(), "2\n");
        let lengths: Vec<_> = values(folder.path(), CONVERSATION_IDS).iter().map(Vec::len).collect();
        assert_eq!(lengths, [88; 2], "closing the store added a note to the old row");
    }
}

#[tokio::test]
async fn no_number_is_given_twice_after_another_store_wrote_notes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host");
    let database = Database::builder(&path).open().unwrap();
    let open_store = || FjallStore::from_database(database.clone(), &FjallConfig::default()).unwrap();
    let (one, other) = (open_store(), open_store());
    one.commit(vec![open(1, 1, 2), append(1, 1, 1, 5)]).await.unwrap();
    // Closing one store notes the numbers of both, because they share an engine.
    drop(one);
    other.commit(vec![append(1, 1, 2, 5), append(1, 1, 3, 5), append(1, 1, 4, 5)]).await.unwrap();
    let killed = folder.path().join("killed");
    copy(&path, &killed);
    let database = Database::builder(&killed).open().unwrap();
    let killed = FjallStore::from_database(database, &FjallConfig::default()).unwrap();
    killed.commit(vec![append(1, 2, 5, 6)]).await.unwrap();
    assert_eq!(numbers(&killed, 1).await, (1..=6).collect::<Vec<_>>());
    assert_eq!(head(&killed).await, 5);
}
