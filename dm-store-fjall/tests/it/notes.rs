//! Notes, which are copies of the newest numbers in rows, and folders of older schema versions. Version
//! 1 has no notes.

use std::path::Path;

use dm_core::store::*;
use dm_store_fjall::{FjallConfig, FjallStore};
use fjall::Database;

use crate::common::older::{CONVERSATION_IDS, FLOORS, back_to_version_1, back_to_version_2, values};
use crate::common::{append, conversation, expire, numbers, open, user, who, whole_inbox};
use crate::files::copy;

/// The number of the newest message of conversation 1.
async fn head(store: &FjallStore) -> u64 {
    store.conversation(conversation(1)).await.unwrap().unwrap().head.get()
}

/// Writes a folder, and closes it: a conversation of users 1 and 2 with three messages. The notice
/// of the conversation and the first message are expired.
async fn written(folder: &Path) {
    let store = FjallStore::open(folder).unwrap();
    store.commit(vec![open(1, 1, 2), append(1, 1, 1, 1)]).await.unwrap();
    store.commit(vec![expire(2, 100)]).await.unwrap();
    store.commit(vec![append(1, 1, 2, 5), append(1, 2, 3, 5)]).await.unwrap();
}

#[tokio::test]
async fn closing_a_store_writes_notes_of_the_newest_numbers() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path()).await;
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
    for floor in values(folder.path(), FLOORS) {
        assert_eq!((number(&floor[..8]), number(&floor[12..20])), (2, 4));
    }
    let ids = values(folder.path(), CONVERSATION_IDS);
    assert_eq!((ids.len(), number(&ids[0][80..88])), (1, 3));
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
async fn folders_of_older_versions_can_be_read_and_written() {
    let backs = [("1\n", back_to_version_1 as fn(&Path)), ("2\n", back_to_version_2)];
    // A migration writes the marker first, and may be killed right after it.
    for (marker, back) in backs.into_iter().chain(backs.map(|(_, back)| ("3\n", back))) {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path()).await;
        back(folder.path());
        std::fs::write(folder.path().join("dm_schema"), marker).unwrap();

        let store = FjallStore::open(folder.path()).unwrap();
        assert_eq!((numbers(&store, 1).await, head(&store).await), (vec![3, 4], 3));
        migrated(&store).await;
        let state = store.conversation(conversation(1)).await.unwrap().unwrap();
        assert_eq!(state.conversation.participants, Participants::new(user(1), user(2)).unwrap());
        store.commit(vec![append(1, 1, 4, 6), open(2, 1, 3)]).await.unwrap();
        assert_eq!(numbers(&store, 1).await, [3, 4, 5, 6]);
        assert_eq!(store.inbox(whole_inbox(who(2))).await.unwrap().head.get(), 5);
        let state = store.conversation(conversation(1)).await.unwrap().unwrap();
        assert_eq!((state.head.get(), state.uncounted().get(), state.counts.total()), (4, 3, 1));
        drop(store);
        assert_eq!(std::fs::read_to_string(folder.path().join("dm_schema")).unwrap(), "3\n");
        let lengths: Vec<_> = values(folder.path(), CONVERSATION_IDS).iter().map(Vec::len).collect();
        // The row of the first conversation has counts of 6 bytes after the flags.
        assert_eq!(lengths, [95, 88], "closing the store added a note to the old row");
    }
}

/// Checks what the migration made of the rows that `back_to_version_2` adds.
async fn migrated(store: &FjallStore) {
    let (first, other) = if user(1) < user(2) { (user(1), user(2)) } else { (user(2), user(1)) };
    let job = RecordKey::new(Owner::User(first), Kind::KEY_ANNOUNCEMENT, Name::EMPTY);
    let fence = |user| RecordKey::fence(Owner::User(user));
    let records = store.records(vec![fence(first), fence(other), job]).await.unwrap();
    let key = KeyRecord::from_value(first, &records[0].as_ref().unwrap().value).unwrap();
    assert_eq!((key.version.get(), key.key.as_bytes()), (2, &[12; 32]));
    assert!(records[1].is_none());
    assert_eq!(records[2].as_ref().unwrap().due, Some(Timestamp::from_millis(0)));
}

#[tokio::test]
async fn a_migration_that_was_killed_before_its_end_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm");
    written(&path).await;
    back_to_version_2(&path);
    let before = values(&path, FLOORS);
    drop(FjallStore::open(&path).unwrap());
    // The rows are migrated, but the version was not written.
    crate::common::older::set_version(&path, 2);
    let store = FjallStore::open(&path).unwrap();
    migrated(&store).await;
    assert_eq!((numbers(&store, 1).await, head(&store).await), (vec![3, 4], 3));
    drop(store);
    assert_eq!(values(&path, FLOORS).len(), before.len());
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
