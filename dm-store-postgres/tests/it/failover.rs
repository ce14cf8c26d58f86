//! Opening the store on a standby, and on a server that may lose answered messages in a power cut
//! or a failover.

use std::error::Error as _;
use std::time::{Duration, Instant};

use dm_core::store::{Durability, Store as _, StoreError, StoreErrorKind};
use dm_store_postgres::{PostgresConfig, PostgresStore};
use dm_test_servers::postgres::Cluster;
use tokio_postgres::NoTls;

use crate::common::{append, open, texts};

async fn open_with(parameters: &str, least: Durability) -> Result<PostgresStore, StoreError> {
    let mut config = PostgresConfig::default();
    config.least_durability = least;
    PostgresStore::open_with(parameters, NoTls, &config).await
}

async fn durability_of(parameters: &str) -> Durability {
    open_with(parameters, Durability::NotSynced).await.unwrap().status().durability
}

/// Asserts that a server is refused for its durability, with an error that names the setting.
async fn assert_refused(parameters: &str, least: Durability, setting: &str) {
    let refused = open_with(parameters, least).await.map(drop).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Engine);
    let text = refused.source().unwrap().to_string();
    assert!(text.contains(setting) && text.contains("least_durability"), "{text}");
}

/// Waits until a query on a server returns `t`.
async fn wait_until(server: &Cluster, query: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    while server.sql("postgres", query) != "t" {
        assert!(Instant::now() < end, "this query never returned `t`: {query}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_standby_is_refused_as_unavailable_until_it_is_promoted() {
    let primary = Cluster::alone();
    let store = PostgresStore::open(&primary.parameters("postgres")).await.unwrap();
    store.commit(vec![open(1, 1, 2), append(1, 1, 1).into()]).await.unwrap();
    let standby = primary.standby();
    let parameters = standby.parameters("postgres");
    for _ in 0..2 {
        let refused = PostgresStore::open(&parameters).await.map(drop).unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Unavailable, "{refused:?}");
    }
    // If the parameters name several hosts, the store uses the host that accepts writes.
    let hosts =
        |server: &Cluster| server.parameters("postgres").split(' ').next().unwrap().replace("host=", "");
    let both = format!("host={},{} user=postgres dbname=postgres", hosts(&standby), hosts(&primary));
    let store = PostgresStore::open(&both).await.unwrap();
    store.commit(vec![append(1, 2, 2).into()]).await.unwrap();
    wait_until(&primary, "SELECT bool_and(replay_lsn >= pg_current_wal_lsn()) FROM pg_stat_replication")
        .await;
    primary.crash();
    standby.sql("postgres", "SELECT pg_promote()");
    let store = PostgresStore::open(&both).await.unwrap();
    store.commit(vec![append(1, 1, 3).into()]).await.unwrap();
    assert_eq!(texts(&store, 1, 1).await.len(), 3);
}

#[tokio::test]
async fn a_server_without_sync_shows_in_the_status_and_may_be_refused() {
    let parameters = Cluster::shared().empty_database();
    let parameters = parameters.parameters();
    assert_eq!(durability_of(&parameters).await, Durability::NotSynced);
    assert_refused(&parameters, Durability::AsynchronousReplica, "fsync").await;
    assert_refused(&parameters, Durability::Synced, "fsync").await;
}

#[tokio::test]
async fn a_server_that_does_not_wait_for_its_replica_shows_in_the_status_and_may_be_refused() {
    let folder = tempfile::tempdir().unwrap();
    let primary = Cluster::durable_in(folder.path());
    let parameters = primary.parameters("postgres");
    assert_eq!(
        open_with(&parameters, Durability::Synced).await.unwrap().status().durability,
        Durability::Synced
    );

    let standby = primary.standby();
    wait_until(&primary, "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'").await;
    assert_eq!(durability_of(&parameters).await, Durability::AsynchronousReplica);
    open_with(&parameters, Durability::AsynchronousReplica).await.unwrap();
    assert_refused(&parameters, Durability::Synced, "synchronous_standby_names").await;

    primary.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
    primary.sql("postgres", "SELECT pg_reload_conf()");
    wait_until(&primary, "SELECT current_setting('synchronous_standby_names') = '*'").await;
    let store = open_with(&parameters, Durability::Synced).await.unwrap();
    assert_eq!(store.status().durability, Durability::Synced);
    drop(standby);
}

#[tokio::test]
async fn a_later_replica_and_a_changed_setting_show_in_the_status_of_an_open_store() {
    let folder = tempfile::tempdir().unwrap();
    let primary = Cluster::durable_in(folder.path());
    let mut config = PostgresConfig::default();
    config.durability_interval = Duration::ZERO;
    let parameters = primary.parameters("postgres");
    let store = PostgresStore::open_with(&parameters, NoTls, &config).await.unwrap();
    assert_eq!(store.status().durability, Durability::Synced);

    let standby = primary.standby();
    wait_for_durability(&store, Durability::AsynchronousReplica).await;
    primary.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
    primary.sql("postgres", "SELECT pg_reload_conf()");
    wait_for_durability(&store, Durability::Synced).await;
    primary.sql("postgres", "ALTER SYSTEM SET fsync = off");
    primary.sql("postgres", "SELECT pg_reload_conf()");
    wait_for_durability(&store, Durability::NotSynced).await;
    drop(standby);

    // If the server does not answer, the status keeps the last value.
    primary.crash();
    for _ in 0..3 {
        assert_eq!(store.status().durability, Durability::NotSynced);
        tokio::task::yield_now().await;
    }
}

/// Waits until a store's status has a durability.
async fn wait_for_durability(store: &PostgresStore, durability: Durability) {
    let end = Instant::now() + Duration::from_secs(60);
    while store.status().durability != durability {
        assert!(Instant::now() < end, "the status never showed {durability:?}");
        tokio::task::yield_now().await;
    }
}
