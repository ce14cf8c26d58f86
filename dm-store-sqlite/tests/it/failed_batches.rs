//! A batch that fails after some of its writes changes neither the file nor the writer's caches.

use dm_conformance::build::{ack_up_to, append_as, ciphertext, naming, publish};
use dm_conformance::outcome::{done, opened, sent};
use dm_core::store::*;
use dm_store_sqlite::{FileOwner, SqliteConfig, SqliteStore};
use rusqlite::Connection;

use crate::common::{append, at, conversation, open, register, user, who, whole_inbox};

/// A store whose file is limited in size and full. The file holds a conversation of users 1 and 2.
/// Also returns the number of messages in the conversation.
async fn full_store(folder: &tempfile::TempDir) -> (SqliteStore, u64) {
    let path = folder.path().join("host.db");
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 1").unwrap();
    let mut config = SqliteConfig::default();
    (config.owner, config.max_pages) = (FileOwner::Host, Some(60));
    let store = SqliteStore::open_with(&path, &config).unwrap();
    store.commit(vec![open(1, 1, 2), register(who(2)), publish(1, 1, 1)]).await.unwrap();
    for batch in 0..1_000 {
        if let Err(error) = store.commit((1..=8).map(|id| append(1, 1, batch * 8 + id, 5)).collect()).await {
            assert_eq!(error.kind(), StoreErrorKind::Full);
            return (store, batch * 8);
        }
    }
    panic!("the file never filled up");
}

/// A batch of several kinds of writes. The last writes do not fit into the file.
fn oversized_batch(stored: u64) -> Vec<Write> {
    let mut batch = vec![
        append_as(1, 2, 20_001, 7).into(),
        publish(1, 2, 6),
        open(2, 1, 3),
        append(2, 3, 20_002, 6),
        register(who(3)),
        ack_up_to(who(2), stored),
    ];
    let large = |id| AppendMessage { ciphertext: ciphertext(vec![1; 60_000]), ..append_as(2, 1, id, id) };
    batch.extend((20_003..20_040).map(|id| large(id).into()));
    batch
}

#[tokio::test]
async fn a_failed_batch_does_not_change_the_numbers_of_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let (store, stored) = full_store(&folder).await;
    for _ in 0..2 {
        let failed = store.commit(oversized_batch(stored)).await.unwrap_err();
        assert_eq!(failed.kind(), StoreErrorKind::Full);
    }
    assert!(store.conversation(conversation(2)).await.unwrap().is_none());
    assert!(store.devices(user(3)).await.unwrap().is_empty());

    // Expiry frees space. No other handle has written, so the writer uses its caches.
    store.commit(vec![Expire { before: at(6), limit: 100_000 }.into()]).await.unwrap();
    let refused = store.commit(vec![append(2, 1, 30_001, 7)]).await.unwrap().remove(0);
    assert!(matches!(refused, Outcome::Refused(Refusal::NotFound)), "{refused:?}");
    let next = sent(store.commit(vec![append_as(1, 2, 30_002, 7).into()]).await.unwrap().remove(0));
    assert_eq!((next.is_found, next.message.sequence.get()), (false, stored + 1));
    assert_eq!((next.sender_seq.get(), next.message.sender_sequence.get()), (stored + 2, 1));
    let fenced = naming(append_as(1, 2, 30_003, 8), 2);
    let refused = store.commit(vec![fenced]).await.unwrap().remove(0);
    assert!(matches!(refused, Outcome::Refused(Refusal::Unmet { which: 0, .. })), "{refused:?}");
    let opening = done(store.commit(vec![open(3, 1, 3)]).await.unwrap().remove(0));
    assert!(opened(&opening).1, "{opening:?}");
    let cursor = store.devices(user(2)).await.unwrap().first().unwrap().cursor;
    assert_eq!(cursor, InboxSeq::ZERO);

    // A handle with empty caches reads the same.
    let mut config = SqliteConfig::default();
    config.owner = FileOwner::Host;
    let fresh = SqliteStore::open_with(folder.path().join("host.db"), &config).unwrap();
    for n in 1..=3 {
        let (ours, theirs) = (
            store.inbox(whole_inbox(who(n))).await.unwrap(),
            fresh.inbox(whole_inbox(who(n))).await.unwrap(),
        );
        assert_eq!((ours.head, ours.entries), (theirs.head, theirs.entries), "the inbox of user {n}");
    }
}
