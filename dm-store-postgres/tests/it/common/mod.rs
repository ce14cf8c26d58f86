//! Helpers for the store's own tests, and the builders of the conformance suite.

#![allow(unreachable_pub, reason = "tests")]

pub mod harness;
pub mod proxy;

use std::collections::BTreeSet;

pub use dm_conformance::build::{append, append_as, conversation, message, open, user, who};
use dm_core::store::{
    HistoryQuery, HistoryRange, InboxPage, InboxQuery, InboxSeq, OwnEntries, Principal, ServerSequence, Store,
};
use dm_store_postgres::PostgresStore;

/// Reads a whole inbox, page by page, and returns it as one page.
pub async fn inbox(store: &PostgresStore, who: Principal) -> InboxPage {
    let (own, limit, max_bytes) = (OwnEntries::Include, 100_000, usize::MAX);
    let mut query = InboxQuery { who, after: InboxSeq::ZERO, own, limit, max_bytes };
    let mut entries = Vec::new();
    loop {
        let page = store.inbox(query.clone()).await.unwrap();
        entries.extend(page.entries.iter().cloned());
        if page.through >= page.head {
            return InboxPage { entries, ..page };
        }
        query.after = page.through;
    }
}

/// The payloads of the messages of conversation `n` as texts, in the order of their numbers, read
/// by the user `reader`. Asserts that no message number is missing.
pub async fn texts(store: &PostgresStore, reader: u64, n: u64) -> Vec<String> {
    let range = HistoryRange::After(ServerSequence::ZERO);
    let (reader, conversation, limit, max_bytes) = (user(reader), conversation(n), 1_000_000, usize::MAX);
    let query = HistoryQuery { reader, conversation, range, limit, max_bytes };
    let page = store.history(query).await.unwrap().unwrap();
    let numbers: Vec<_> = page.messages.iter().map(|message| message.sequence.get()).collect();
    assert_eq!(numbers, (1..=page.messages.len() as u64).collect::<Vec<_>>());
    let text = |payload: &[u8]| String::from_utf8(payload.to_vec()).unwrap();
    page.messages.iter().map(|message| text(message.ciphertext.payload())).collect()
}

/// The number of messages in the inbox of user `n`. Asserts that no entry number is missing and
/// that no message has two entries.
pub async fn count_messages(store: &PostgresStore, n: u64) -> usize {
    let page = inbox(store, who(n)).await;
    let seqs: Vec<_> = page.entries.iter().map(|entry| entry.seq.get()).collect();
    assert_eq!(seqs, (1..=page.head.get()).collect::<Vec<_>>());
    let ids: Vec<_> = page.entries.iter().filter_map(|entry| Some(entry.message()?.id)).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    ids.len()
}

/// Waits until a query returns `t`.
pub async fn wait_until(database: &dm_test_servers::postgres::Database, query: &str) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while database.sql(query) != "t" {
        assert!(std::time::Instant::now() < end, "this query never returned `t`: {query}");
        tokio::task::yield_now().await;
    }
}

/// A connection to the database that the store does not use.
pub async fn connect(database: &dm_test_servers::postgres::Database) -> tokio_postgres::Client {
    let (client, connection) =
        tokio_postgres::connect(&database.parameters(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A query that returns `t` if exactly one session waits for a lock.
pub const ONE_SESSION_WAITS: &str = "SELECT count(*) = 1 FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
