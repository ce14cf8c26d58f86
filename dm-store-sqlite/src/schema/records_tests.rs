//! A file of the version before records, which is opened and used further.

use std::path::Path;

use dm_conformance::build::{append, conversation, key, message, naming, on, open, register, user, who};
use dm_conformance::outcome::{done, registered, sent};
use dm_conformance::reads::{active, history_of, whole_inbox};
use dm_core::store::{
    ConversationOrder, ConversationsQuery, HistoryRange, KeyBinding, KeyRecord, KeyVersion, Kind, Name,
    Outcome, Owner, Participants, RecordKey, Refusal, Store as _, Timestamp, UserId, Write, key_announcement,
};
use rusqlite::{Connection, params};

use super::*;
use crate::config::SqliteConfig;
use crate::store::SqliteStore;
use crate::table_prefix::TablePrefix;

/// The number of migrations before that of records.
const BEFORE: usize = 5;

/// Creates a file of the version before. Users 1, 2 and 3 have the `ref`s 1, 2 and 3.
///
/// - User 1 has published two keys, and the second one is not announced to all peers yet.
/// - User 1 has devices `phone` and `laptop`, user 2 the default device.
/// - Conversation 1 of users 1 and 2 has two merged messages of user 1, and one in a run.
/// - Two entries of user 3 have expired.
fn create(path: &Path, encoding: &str, prefix: &TablePrefix) {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "encoding", encoding).unwrap();
    let database = Database::new(connection, prefix.clone());
    migrate_with(&database, &MIGRATIONS[..BEFORE], |_| ()).unwrap();
    for (n, floor) in [(1_u64, 0), (2, 0), (3, 2)] {
        database
            .execute(
                "INSERT INTO dm_users (ref, pubkey, inbox_floor, inbox_head, oldest_at) VALUES (?1, ?2, ?3, ?3, ?4)",
                params![n.cast_signed(), user(n).as_bytes(), floor, (n < 3).then_some(1)],
            )
            .unwrap();
    }
    for (version, binding, at) in [(1, 3, 5), (2, 1, -7)] {
        let bytes = key(version);
        database
            .execute(
                "INSERT INTO dm_keys (user, version, key, binding, published_at) VALUES (1, ?1, ?2, ?3, ?4)",
                params![version, bytes.as_bytes(), binding, at],
            )
            .unwrap();
    }
    let publisher = user(1);
    database.execute("INSERT INTO dm_announcements VALUES (?1, 1, 0, 1)", [publisher.as_bytes()]).unwrap();
    for (device_ref, user, device) in [(1, 1, "phone"), (2, 2, "default"), (3, 1, "laptop")] {
        let device = params![device_ref, user, device];
        database.execute("INSERT INTO dm_devices VALUES (?1, ?2, ?3, 0, 1)", device).unwrap();
    }
    let pair = Participants::new(user(1), user(2)).unwrap();
    let refs = if pair.a() == user(1) { [1, 2] } else { [2, 1] };
    database
        .execute(
            "INSERT INTO dm_conversations (ref, id, a, b, opened_at, head, last_at) VALUES (1, ?1, ?2, ?3, 1, 2, 2)",
            params![conversation(1).as_bytes(), refs[0], refs[1]],
        )
        .unwrap();
    for n in 1..=3_u64 {
        let n = i64::try_from(n).unwrap();
        let id = message(n.cast_unsigned());
        database
            .execute(
                "INSERT INTO dm_messages VALUES (?1, ?2, 1, ?1, 1, ?1, ?1, NULL, ?1, ?1, NULL, zeroblob(24), NULL, x'07')",
                params![n, id.as_bytes()],
            )
            .unwrap();
        for user in [1, 2] {
            let origin = (user == 1).then_some("phone");
            let sql = if n < 3 {
                "INSERT INTO dm_inbox VALUES (?1, ?2, ?2, ?2, NULL, ?3)"
            } else {
                "INSERT INTO dm_recent_inbox_0 VALUES (0, ?1, ?2, ?2, ?2, NULL, ?3, 1, ?2)"
            };
            database.execute(sql, params![user, n, origin]).unwrap();
        }
        let sql = if n < 3 {
            "INSERT INTO dm_sequence VALUES (1, ?1, ?1)"
        } else {
            "INSERT INTO dm_recent_sequence_0 VALUES (0, 1, ?1, ?1, ?1)"
        };
        database.execute(sql, [n]).unwrap();
    }
    database.execute("UPDATE dm_users SET inbox_head = 2 WHERE ref < 3", []).unwrap();
}

/// Opens the file with each encoding of texts and with two prefixes.
fn old_stores() -> Vec<(tempfile::TempDir, SqliteStore)> {
    let opened = |(encoding, prefix)| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dm.db");
        let table_prefix = TablePrefix::new(prefix).unwrap();
        create(&path, encoding, &table_prefix);
        let config = SqliteConfig { table_prefix, ..SqliteConfig::default() };
        let store = SqliteStore::open_with(&path, &config).unwrap();
        (folder, store)
    };
    [("UTF-8", "dm_"), ("UTF-16le", "other_")].map(opened).into()
}

async fn commit(store: &SqliteStore, write: impl Into<Write>) -> Outcome {
    store.commit(vec![write.into()]).await.unwrap().remove(0)
}

#[tokio::test]
async fn published_keys_are_fences_and_announcements_are_jobs() {
    for (_folder, store) in old_stores() {
        let record = KeyRecord {
            user: user(1),
            key: key(2),
            version: KeyVersion::FIRST.next(),
            published_at: Timestamp::from_millis(7_u64.wrapping_neg()),
            binding: KeyBinding::Derived,
        };
        let keys = |user: UserId| {
            let owner = Owner::User(user);
            vec![RecordKey::fence(owner), RecordKey::new(owner, Kind::KEY_ANNOUNCEMENT, Name::EMPTY)]
        };
        let found = store.records(keys(user(1))).await.unwrap();
        let tag = found[1].as_ref().unwrap().tag;
        assert_eq!(found, [Some(record.to_record()), Some(key_announcement(user(1), None, tag))]);
        assert_eq!(store.records(keys(user(2))).await.unwrap(), [None, None]);

        let stale = commit(&store, naming(append(1, 2, 4), 1)).await;
        assert!(matches!(stale, Outcome::Refused(Refusal::Unmet { which: 0, .. })), "{stale:?}");
        assert_eq!(sent(commit(&store, naming(append(1, 2, 4), 2)).await).message.sequence.get(), 4);
    }
}

#[tokio::test]
async fn messages_are_counted_from_the_first_one_after_the_migration() {
    for (_folder, store) in old_stores() {
        for (from, id, expected) in [(1, 4, (4, 1)), (2, 5, (5, 1)), (1, 6, (6, 2))] {
            let message = sent(commit(&store, append(1, from, id)).await).message;
            assert_eq!((message.sequence.get(), message.sender_sequence.get()), expected);
        }
        let page = store.history(history_of(1, 1, HistoryRange::Newest, 10)).await.unwrap().unwrap();
        let numbers = |message: &std::sync::Arc<dm_core::store::Message>| {
            (message.sequence.get(), message.sender_sequence.get())
        };
        let numbers: Vec<_> = page.messages.iter().map(numbers).collect();
        assert_eq!(numbers, [(6, 2), (5, 1), (4, 1), (3, 0), (2, 0), (1, 0)]);
        let state = store.conversation(conversation(1)).await.unwrap().unwrap();
        assert_eq!((state.uncounted().get(), state.counts.total()), (3, 3));
        let order = ConversationOrder::Opened { after: None };
        let query = ConversationsQuery { order, ..active(2, None, 10) };
        for query in [query, active(1, None, 10)] {
            let listed = store.conversations(query).await.unwrap();
            assert_eq!(listed.iter().map(|listed| listed.state).collect::<Vec<_>>(), [state]);
        }
    }
}

#[tokio::test]
async fn devices_have_registrations_in_their_order_and_inboxes_go_on() {
    for (_folder, store) in old_stores() {
        let devices = store.devices(user(1)).await.unwrap();
        let registrations: Vec<_> =
            devices.iter().map(|state| (state.device.as_str(), state.registration.get())).collect();
        assert_eq!(registrations, [("phone", 1), ("laptop", 2)]);
        let next = registered(&done(commit(&store, register(on(1, "tablet"))).await));
        assert_eq!(next.registration.get(), 3);
        assert_eq!(registered(&done(commit(&store, register(who(3))).await)).registration.get(), 1);

        let inbox = store.inbox(whole_inbox(who(2))).await.unwrap();
        assert_eq!(
            inbox.entries.iter().map(|entry| (entry.seq.get(), entry.addressee)).collect::<Vec<_>>(),
            [(1, None), (2, None), (3, None)]
        );
        let expired = store.inbox(whole_inbox(who(3))).await.unwrap();
        assert_eq!((expired.floor.get(), expired.floor_proof), (2, None));
        let opening = done(commit(&store, open(2, 1, 3)).await);
        assert_eq!(opening.appended.iter().map(|hint| hint.entry.seq.get()).max(), Some(4));
    }
}
