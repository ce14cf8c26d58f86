//! Reads whose callers stop polling them or drop them. Such a read must not block other reads or
//! commits.

use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use dm_core::store::{HistoryRange, Store};
use dm_core::{Error, Service};
use dm_store_postgres::{PostgresConfig, PostgresStore};
use dm_test_servers::postgres::Database;
use tokio_postgres::NoTls;

use crate::common::harness::fresh;
use crate::common::{
    ONE_SESSION_WAITS, append_as, connect, conversation, open, texts, user, wait_until, who,
};

/// A store with one connection for reads, and with timeouts that are longer than the test.
async fn store_with_one_read_connection(database: &Database) -> PostgresStore {
    let mut config = PostgresConfig::default();
    let long_timeout = Duration::from_secs(60);
    config.read_connections = NonZeroUsize::MIN;
    (config.lock_timeout, config.statement_timeout) = (long_timeout, long_timeout);
    config.network_timeout = long_timeout;
    let store = PostgresStore::open_with(&database.parameters(), NoTls, &config).await.unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    store
}

type BoxedRead = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Every call of a service that reads the store.
const READS: [fn(Service) -> BoxedRead; 9] = [
    |dm| Box::pin(async move { drop(dm.key(user(1)).await) }),
    |dm| Box::pin(async move { drop(dm.conversation(&who(1), conversation(1)).await) }),
    |dm| Box::pin(async move { drop(dm.history(&who(1), conversation(1), HistoryRange::Newest, 1).await) }),
    |dm| Box::pin(async move { drop(dm.conversations(&who(1), 1, None).await) }),
    |dm| Box::pin(async move { drop(dm.pending(&who(1), Default::default()).await) }),
    |dm| Box::pin(async move { drop(dm.devices(&who(1)).await) }),
    |dm| Box::pin(async move { drop(dm.depth(&who(1)).await) }),
    |dm| Box::pin(async move { drop(dm.connect(&who(1)).await) }),
    |dm| Box::pin(async move { drop(dm.follow(&who(1)).await) }),
];

#[tokio::test]
async fn a_read_that_is_not_polled_blocks_no_other_read() {
    let database = fresh();
    let dm = Service::builder(store_with_one_read_connection(&database).await).start().unwrap();
    let mut holder = connect(&database).await;
    for read in READS {
        let mut held = read(dm.clone());
        let lock = holder.transaction().await.unwrap();
        lock.batch_execute("LOCK TABLE dm.records").await.unwrap();
        let other = dm.clone();
        let other = tokio::spawn(async move { other.key(user(9)).await });
        wait_until(&database, ONE_SESSION_WAITS).await;
        let polled = poll_fn(|cx| Poll::Ready(held.as_mut().poll(cx).is_pending())).await;
        assert!(polled, "the read waits for the connection");
        lock.rollback().await.unwrap();
        // The pool has now given the connection to the read that is not polled.
        assert!(matches!(other.await.unwrap(), Err(Error::NotFound)));
        let found = dm.key(user(9)).await;
        assert!(matches!(found, Err(Error::NotFound)), "{found:?}");
    }
}

#[tokio::test]
async fn commits_proceed_while_all_read_connections_are_in_use() {
    let database = fresh();
    let store = store_with_one_read_connection(&database).await;
    let mut holder = connect(&database).await;
    let lock = holder.transaction().await.unwrap();
    // A send reads no device.
    lock.batch_execute("LOCK TABLE dm.devices").await.unwrap();
    let reads: Vec<_> = (0..20)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.devices(user(n)).await })
        })
        .collect();
    wait_until(&database, ONE_SESSION_WAITS).await;
    store.commit(vec![append_as(1, 1, 1, 7).into()]).await.unwrap();
    for read in &reads {
        read.abort();
    }
    lock.rollback().await.unwrap();
    assert_eq!(texts(&store, 1, 1).await, ["1"]);
}

#[tokio::test]
async fn no_read_waits_for_the_statement_of_a_dropped_read() {
    let database = fresh();
    let mut config = PostgresConfig::default();
    config.read_connections = NonZeroUsize::new(2).unwrap();
    let long_timeout = Duration::from_secs(60);
    (config.lock_timeout, config.statement_timeout, config.network_timeout) =
        (long_timeout, long_timeout, long_timeout);
    let store = PostgresStore::open_with(&database.parameters(), NoTls, &config).await.unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    let dm = Service::builder(store).start().unwrap();
    let mut holder = connect(&database).await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE dm.records").await.unwrap();
    let other = dm.clone();
    let dropped = tokio::spawn(async move { other.key(user(9)).await });
    wait_until(&database, ONE_SESSION_WAITS).await;
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    // This read is answered while the statement of the dropped read still waits for the lock.
    assert!(dm.conversation(&who(1), conversation(1)).await.is_ok());
    lock.rollback().await.unwrap();
    assert!(matches!(dm.key(user(9)).await, Err(Error::NotFound)));
}
