//! Tests of runs, which are small tables of new rows: merging into the main tables, files of older
//! versions, lists, and damage.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use dm_conformance::lists::{self, Last};
use dm_core::store::*;
use dm_store_redb::{RedbConfig, RedbStore};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::common::older::{back_to_version_1, back_to_version_2, back_to_version_3, runs};
use crate::common::{append, conversation, expire, numbers, open, user, who, whole_inbox};

type Table<'a> = TableDefinition<'a, &'static [u8], &'static [u8]>;

/// A store in which a run of inbox entries has three rows, and a run of messages has two.
fn small(path: &Path) -> RedbStore {
    RedbStore::open_with(path, &config(24)).unwrap()
}

/// The configuration with `recent_entries` inbox entries in a full generation.
fn config(recent_entries: usize) -> RedbConfig {
    let mut config = RedbConfig::default();
    config.recent_entries = NonZeroUsize::new(recent_entries).unwrap();
    config
}

#[tokio::test]
async fn files_of_older_versions_can_be_read_and_written() {
    for (version, back) in
        [(1, back_to_version_1 as fn(&Path)), (2, back_to_version_2), (3, back_to_version_3)]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dm.redb");
        let store = small(&path);
        store.commit(vec![open(1, 1, 2)]).await.unwrap();
        for id in 1..=50 {
            store.commit(vec![append(1, 1, id, id)]).await.unwrap();
        }
        let before = store.inbox(whole_inbox(who(2))).await.unwrap().entries;
        drop(store);
        back(&path);
        assert_eq!(runs(&path).is_empty(), version == 1);

        let store = small(&path);
        let entries = store.inbox(whole_inbox(who(2))).await.unwrap().entries;
        assert_eq!(entries.iter().map(without_sender_sequence).collect::<Vec<_>>(), entries);
        assert_eq!(entries, before.iter().map(without_sender_sequence).collect::<Vec<_>>());
        migrated(&store).await;
        let opened = store.conversation(conversation(1)).await.unwrap().unwrap();
        assert_eq!(opened.conversation.participants, Participants::new(user(1), user(2)).unwrap());
        for id in 51..=60 {
            store.commit(vec![append(1, 1, id, id)]).await.unwrap();
        }
        assert_eq!(numbers(&store, 1).await, (1..=61).collect::<Vec<_>>());
        let state = store.conversation(conversation(1)).await.unwrap().unwrap();
        assert_eq!((state.head.get(), state.uncounted().get(), state.counts.total()), (60, 50, 10));
        drop(store);
        assert!(!runs(&path).is_empty());
    }
}

/// Checks what the migration made of the rows that `back_to_version_3` adds.
async fn migrated(store: &RedbStore) {
    let (first, other) = if user(1) < user(2) { (user(1), user(2)) } else { (user(2), user(1)) };
    let job = RecordKey::new(Owner::User(first), Kind::KEY_ANNOUNCEMENT, Name::EMPTY);
    let fence = |user| RecordKey::fence(Owner::User(user));
    let records = store.records(vec![fence(first), fence(other), job]).await.unwrap();
    let key = KeyRecord::from_value(first, &records[0].as_ref().unwrap().value).unwrap();
    assert_eq!((key.version.get(), key.key.as_bytes()), (2, &[12; 32]));
    assert!(records[1].is_none());
    assert_eq!(records[2].as_ref().unwrap().due, Some(Timestamp::from_millis(0)));
}

/// The entry without the number of its message among those of the sender.
pub(crate) fn without_sender_sequence(entry: &InboxEntry) -> InboxEntry {
    let mut entry = entry.clone();
    if let Event::Message(message) = &mut entry.event {
        Arc::make_mut(message).sender_sequence = SenderSequence::ZERO;
    }
    entry
}

#[tokio::test]
async fn rows_are_merged_and_runs_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.redb");
    let store = small(&path);
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    for id in 1..=200 {
        store.commit(vec![append(1, 1, id, id)]).await.unwrap();
    }
    drop(store);
    let left = runs(&path);
    // At most two generations of eight runs for each of the two main tables.
    assert!(!left.is_empty() && left.len() <= 32, "{left:?}");
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_read().unwrap();
    for log in ["dm_sequence", "dm_inbox"] {
        let main = transaction.open_table(Table::new(log)).unwrap();
        assert!(main.iter().unwrap().count() > 100, "{log}");
    }
}

#[tokio::test]
async fn expired_entries_do_not_reappear_when_runs_are_merged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.redb");
    let store = small(&path);
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    for id in 1..=100 {
        store.commit(vec![append(1, 1, id, id)]).await.unwrap();
        if id % 7 == 0 {
            store.commit(vec![expire(id - 2, 100)]).await.unwrap();
            assert_eq!(numbers(&store, 2).await, [id - 1, id, id + 1], "after {id}");
        }
    }
    assert_eq!(numbers(&store, 1).await, (97..=101).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_list_of_many_conversations_has_newest_messages_from_runs_and_main_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.redb");
    // Some conversations have messages in the main table only, some in runs only, some in both.
    // Some have no messages.
    for (entries, people) in [(400, 300_u64), (400, 700), (8_000, 700)] {
        let path = path.with_extension(format!("{entries}-{people}"));
        let store = RedbStore::open_with(&path, &config(entries)).unwrap();
        lists::check(&store, people, 2_000, Last { ahead: Some(700), right: Some(900) }).await;
    }
}

#[tokio::test]
async fn two_stores_with_different_run_sizes_can_write_to_one_database() {
    let folder = tempfile::tempdir().unwrap();
    let database = Arc::new(Database::create(folder.path().join("host.redb")).unwrap());
    let stores =
        [8, 24, 1_000].map(|size| RedbStore::from_database(Arc::clone(&database), &config(size)).unwrap());
    stores[0].commit(vec![open(1, 1, 2)]).await.unwrap();
    for id in 1..=150_usize {
        let write = append(1, 1, u64::try_from(id).unwrap(), 5);
        stores[id % 3].commit(vec![write]).await.unwrap();
    }
    for store in &stores {
        assert_eq!(numbers(store, 2).await, (1..=151).collect::<Vec<_>>());
    }
}

/// Two stores in one database. Each has memory for one user and one conversation, so that all
/// others are looked up in the tables. After one store wrote, the newest numbers in the memory of
/// the other are outdated.
#[tokio::test]
async fn the_newest_row_is_found_in_each_table_and_after_another_store_wrote_it() {
    let folder = tempfile::tempdir().unwrap();
    let database = Arc::new(Database::create(folder.path().join("host.redb")).unwrap());
    let stores = [(); 2].map(|()| {
        let mut config = config(24);
        config.heads_bytes = RedbConfig::HEAD_BYTES;
        RedbStore::from_database(Arc::clone(&database), &config).unwrap()
    });
    stores[0].commit((1..=5).map(|n| open(n, 2 * n, 2 * n + 1)).collect()).await.unwrap();
    for id in 1..=300_u64 {
        // Conversation 5 gets few messages: its newest row is merged into the main table before the
        // next row is added to a run.
        let n = if id.is_multiple_of(60) { 5 } else { 1 + id % 4 };
        // The stores take turns after ten messages.
        let store = &stores[usize::from(id % 20 < 10)];
        store.commit(vec![append(n, 2 * n, id, id)]).await.unwrap();
        if id.is_multiple_of(90) {
            store.commit(vec![expire(id - 30, 1_000)]).await.unwrap();
        }
    }
    let mut messages = 0;
    for n in 1..=5 {
        let head = stores[0].conversation(conversation(n)).await.unwrap().unwrap().head.get();
        messages += head;
        for user in [2 * n, 2 * n + 1] {
            // The inbox had one notice and `head` messages. Its entries after the expired ones have
            // no gaps.
            let held = numbers(&stores[0], user).await;
            let first = held.first().copied().unwrap_or(head + 2);
            assert_eq!(held, (first..=head + 1).collect::<Vec<_>>(), "user {user}");
        }
    }
    assert_eq!(messages, 300);
}

#[tokio::test]
async fn a_damaged_state_of_runs_fails_as_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    for (n, row) in [vec![], vec![0; 40], vec![255; 41]].into_iter().enumerate() {
        let path = folder.path().join(n.to_string());
        let store = small(&path);
        store.commit(vec![open(1, 1, 2), append(1, 1, 1, 5)]).await.unwrap();
        drop(store);
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction
            .open_table(Table::new("dm_schema"))
            .unwrap()
            .insert(b"dm_inbox".as_slice(), row.as_slice())
            .unwrap();
        transaction.commit().unwrap();
        drop(database);

        let store = small(&path);
        let error = store.inbox(whole_inbox(who(1))).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        let error = store.commit(vec![append(1, 1, 2, 5)]).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    }
}
