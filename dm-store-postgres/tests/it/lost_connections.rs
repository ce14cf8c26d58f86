//! Batches whose connection is lost before `COMMIT` is sent, or before `COMMIT` is answered.

use std::time::Duration;

use dm_core::store::{Outcome, Store, StoreErrorKind, Write};
use dm_store_postgres::{PostgresConfig, PostgresStore};
use dm_test_servers::postgres::{Cluster, Database};
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::common::harness::fresh;
use crate::common::proxy::{Mode, Proxy};
use crate::common::{
    self, ONE_SESSION_WAITS, append_as, connect, conversation, count_messages, open, texts, wait_until,
};

fn one_send(id: u64) -> Vec<Write> {
    vec![append_as(1, 1, id, 7).into()]
}

/// Terminates every session that waits for a lock.
fn terminate_waiting_sessions(database: &Database) {
    database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_before_commit_stores_nothing() {
    let database = fresh();
    let store = PostgresStore::open(&database.parameters()).await.unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();

    let holder = connect(&database).await;
    holder.batch_execute("BEGIN; SELECT FROM dm.users FOR UPDATE").await.unwrap();
    let sending = tokio::spawn({
        let store = store.clone();
        async move { store.commit(one_send(1)).await }
    });
    wait_until(&database, ONE_SESSION_WAITS).await;
    terminate_waiting_sessions(&database);
    assert_eq!(sending.await.unwrap().unwrap_err().kind(), StoreErrorKind::Unavailable);
    holder.batch_execute("ROLLBACK").await.unwrap();

    assert!(texts(&store, 1, 1).await.is_empty());
    store.commit(one_send(2)).await.unwrap();
    assert_eq!((texts(&store, 1, 1).await, count_messages(&store, 2).await), (vec!["2".to_owned()], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_terminated_within_commit_stores_nothing_and_is_unavailable() {
    let database = fresh();
    let store = PostgresStore::open(&database.parameters()).await.unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    // A trigger waits, within COMMIT, for a lock that the test holds.
    database.sql(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END';
         CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON dm.messages DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION wait()",
    );
    let holder = connect(&database).await;
    holder.batch_execute("SELECT pg_advisory_lock(1)").await.unwrap();
    let sending = tokio::spawn({
        let store = store.clone();
        async move { store.commit(one_send(1)).await }
    });
    wait_until(&database, ONE_SESSION_WAITS).await;
    let commits = "SELECT query FROM pg_stat_activity WHERE wait_event = 'advisory'";
    assert_eq!(database.sql(commits), "COMMIT");
    terminate_waiting_sessions(&database);
    assert_eq!(sending.await.unwrap().unwrap_err().kind(), StoreErrorKind::Unavailable);
    holder.batch_execute("SELECT pg_advisory_unlock(1)").await.unwrap();

    assert!(texts(&store, 1, 1).await.is_empty());
    store.commit(one_send(2)).await.unwrap();
    assert_eq!((texts(&store, 1, 1).await, count_messages(&store, 2).await), (vec!["2".to_owned()], 1));
}

#[tokio::test]
async fn a_node_commits_after_its_commit_marker_was_deleted() {
    let database = fresh();
    let store = PostgresStore::open(&database.parameters()).await.unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    assert_eq!(
        database.sql("WITH gone AS (DELETE FROM dm.commits RETURNING 1) SELECT count(*) FROM gone"),
        "1"
    );
    store.commit(one_send(1)).await.unwrap();
    assert_eq!((texts(&store, 1, 1).await, count_messages(&store, 2).await), (vec!["1".to_owned()], 1));
}

#[tokio::test]
async fn failed_batches_leak_no_commit_marker() {
    let database = fresh();
    let mut config = PostgresConfig::default();
    config.lock_timeout = Duration::from_millis(10);
    let store = PostgresStore::open_with(&database.parameters(), NoTls, &config).await.unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    let holder = connect(&database).await;
    holder.batch_execute("BEGIN; SELECT FROM dm.users FOR UPDATE").await.unwrap();
    for id in 1..=5 {
        assert_eq!(store.commit(one_send(id)).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    }
    assert_eq!(database.sql("SELECT count(*) FROM dm.commits"), "1");
}

/// A store behind a proxy, and the folder of the proxy's socket.
async fn store_behind_proxy(database: &Database, config: &PostgresConfig) -> (PostgresStore, Proxy, TempDir) {
    let (proxy, parameters, folder) = Proxy::in_front_of(database);
    let store = PostgresStore::open_with(&parameters, NoTls, config).await.unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    (store, proxy, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_was_lost_is_reported_as_committed() {
    let database = fresh();
    let (store, proxy, _folder) = store_behind_proxy(&database, &PostgresConfig::default()).await;
    proxy.set(Mode::DropCommitAnswer);
    let outcomes = store.commit(one_send(1)).await.unwrap();
    assert!(matches!(&outcomes[..], [Outcome::Done(done)] if !done.is_found));
    assert_eq!((texts(&store, 1, 1).await, count_messages(&store, 2).await), (vec!["1".to_owned()], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_arrives_after_its_resolution_stores_nothing() {
    let database = fresh();
    let (store, proxy, _folder) = store_behind_proxy(&database, &PostgresConfig::default()).await;
    proxy.set(Mode::HoldCommit);
    assert_eq!(store.commit(one_send(1)).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    proxy.release().await;
    assert!(texts(&store, 1, 1).await.is_empty());
    store.commit(one_send(2)).await.unwrap();
    assert_eq!((texts(&store, 1, 1).await, count_messages(&store, 2).await), (vec!["2".to_owned()], 1));
}

/// Commits in a mode of the proxy in which the store cannot ask a server about the outcome. Commits
/// the same message again when the server answers.
async fn assert_unknown_and_retry_returns_message(config: &PostgresConfig, mode: Mode) {
    let database = fresh();
    let (store, proxy, _folder) = store_behind_proxy(&database, config).await;
    proxy.set(mode);
    assert_eq!(store.commit(one_send(1)).await.unwrap_err().kind(), StoreErrorKind::OutcomeUnknown);
    if mode == Mode::StallAllAfterCommit {
        proxy.client_closed().await;
    }
    proxy.set(Mode::Forward);
    let mut retry = append_as(1, 1, 1, 7);
    retry.id = common::message(2);
    let outcomes = store.commit(vec![retry.into()]).await.unwrap();
    assert!(matches!(&outcomes[..], [Outcome::Done(done)] if done.is_found));
    assert_eq!((texts(&store, 1, 1).await, count_messages(&store, 2).await), (vec!["1".to_owned()], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_no_server_resolves_is_unknown_and_a_retry_returns_the_message() {
    let mut config = PostgresConfig::default();
    config.resolve_timeout = Duration::from_millis(100);
    assert_unknown_and_retry_returns_message(&config, Mode::DropCommitAnswerAndRefuse).await;
}

/// A configuration with a short timeout for a server that stops answering.
fn short_network_timeout() -> PostgresConfig {
    let mut config = PostgresConfig::default();
    config.network_timeout = Duration::from_secs(3);
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_answering_before_commit_fails_the_send_and_stores_nothing() {
    let database = fresh();
    let (store, proxy, _folder) = store_behind_proxy(&database, &short_network_timeout()).await;
    proxy.set(Mode::Stall);
    assert_eq!(store.commit(one_send(1)).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    proxy.client_closed().await;
    proxy.set(Mode::Forward);
    store.commit(one_send(2)).await.unwrap();
    assert_eq!((texts(&store, 1, 1).await, count_messages(&store, 2).await), (vec!["2".to_owned()], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_not_answered_in_time_is_resolved_as_committed_and_its_connection_is_closed() {
    let database = fresh();
    let (store, proxy, _folder) = store_behind_proxy(&database, &short_network_timeout()).await;
    proxy.set(Mode::StallAfterCommit);
    let outcomes = store.commit(one_send(1)).await.unwrap();
    assert!(matches!(&outcomes[..], [Outcome::Done(done)] if !done.is_found));
    proxy.client_closed().await;
    assert_eq!((texts(&store, 1, 1).await, count_messages(&store, 2).await), (vec!["1".to_owned()], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_answer_or_resolution_is_unknown_and_a_retry_returns_the_message() {
    let mut config = short_network_timeout();
    config.resolve_timeout = Duration::from_millis(100);
    assert_unknown_and_retry_returns_message(&config, Mode::StallAllAfterCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_fails_in_time_when_the_server_stops_answering() {
    let database = fresh();
    let (store, proxy, _folder) = store_behind_proxy(&database, &short_network_timeout()).await;
    assert!(store.conversation(conversation(9)).await.unwrap().is_none());
    proxy.set(Mode::Stall);
    assert_eq!(store.conversation(conversation(9)).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    proxy.client_closed().await;
    proxy.set(Mode::Forward);
    assert!(store.conversation(conversation(9)).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_under_load_loses_no_answered_message() {
    const TASKS: u64 = 4;
    const SENDS: u64 = 150;
    let cluster = Cluster::alone();
    let parameters = cluster.parameters("postgres");
    let store = PostgresStore::open(&parameters).await.unwrap();
    store.commit((0..TASKS).map(|n| open(n, n, 100)).collect()).await.unwrap();
    let (done, mut answered) = tokio::sync::mpsc::unbounded_channel();
    let tasks: Vec<_> = (0..TASKS)
        .map(|n| {
            let (store, done) = (store.clone(), done.clone());
            tokio::spawn(async move {
                for sent in 0..SENDS {
                    let id = n * SENDS + sent;
                    // Clients also send a message until they get an answer.
                    while store.commit(vec![append_as(n, n, id, id).into()]).await.is_err() {
                        tokio::task::yield_now().await;
                    }
                    done.send(id.to_string()).unwrap();
                }
            })
        })
        .collect();
    drop(done);
    let (mut texts_answered, mut restarts) = (std::collections::BTreeSet::new(), 0);
    while let Some(text) = answered.recv().await {
        texts_answered.insert(text);
        // The server restarts twice, in the middle of the load.
        if [100, 300].contains(&texts_answered.len()) {
            tokio::task::block_in_place(|| cluster.restart());
            restarts += 1;
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(restarts, 2);
    let mut stored = std::collections::BTreeSet::new();
    for n in 0..TASKS {
        let texts = texts(&store, n, n).await;
        assert_eq!(texts.len() as u64, SENDS);
        stored.extend(texts);
    }
    assert_eq!(stored, texts_answered);
    assert_eq!(count_messages(&store, 100).await as u64, TASKS * SENDS);
}
