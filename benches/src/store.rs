//! The stores, and services with them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use dm_core::store::{Outcome, Store, Write};
use dm_core::{MemoryStore, Service, ServiceBuilder};
use dm_store_fjall::FjallStore;
use dm_store_postgres::PostgresStore;
use dm_store_redb::RedbStore;
use dm_store_sqlite::SqliteStore;
use dm_test_servers::postgres::{Cluster, Database};

use crate::subject::Kind;

/// The number of writes in one commit before a measurement.
const BATCH: usize = 512;

/// The location of a store's data: a folder, or a database that is made for it.
pub(crate) struct Data {
    kind: Kind,
    folder: PathBuf,
    database: Option<&'static Database>,
}

impl Data {
    pub(crate) fn new(kind: Kind, folder: &Path) -> Self {
        let database = (kind == Kind::Postgres).then(database);
        Self { kind, folder: folder.to_owned(), database }
    }

    /// A builder of a service with the store, which it opens.
    pub(crate) async fn builder(&self) -> anyhow::Result<ServiceBuilder> {
        self.builder_after(Vec::new()).await
    }

    /// As [`builder`](Self::builder), after some writes that the service has no calls for.
    pub(crate) async fn builder_after(&self, writes: Vec<Write>) -> anyhow::Result<ServiceBuilder> {
        let file = |name| self.folder.join(name);
        let failed = "it does not open";
        match (self.kind, self.database) {
            (Kind::Memory, _) => built(MemoryStore::new(), writes).await,
            (Kind::Sqlite, _) => built(SqliteStore::open(file("dm.db")).context(failed)?, writes).await,
            (Kind::Redb, _) => built(RedbStore::open(file("dm.redb")).context(failed)?, writes).await,
            (Kind::Fjall, _) => built(FjallStore::open(file("dm")).context(failed)?, writes).await,
            (Kind::Postgres, Some(database)) => {
                let store = PostgresStore::open(&database.parameters()).await.context(failed)?;
                built(store, writes).await
            }
            (kind, _) => anyhow::bail!("only sends can be measured with {kind:?}: there is no service"),
        }
    }

    /// Opens the store again after it was closed.
    pub(crate) async fn reopened(&self) -> anyhow::Result<ServiceBuilder> {
        Ok(self.timed_reopen().await?.0)
    }

    /// Opens the store again after it was closed, and the time that opening took. The engine may
    /// hold its files a little longer than the service, and that wait is not counted.
    pub(crate) async fn timed_reopen(&self) -> anyhow::Result<(ServiceBuilder, Duration)> {
        for _ in 0..600 {
            let began = Instant::now();
            if let Ok(builder) = self.builder().await {
                return Ok((builder, began.elapsed()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let began = Instant::now();
        Ok((self.builder().await?, began.elapsed()))
    }
}

/// A builder of a service with an open store, after some writes to it.
async fn built(store: impl Store, writes: Vec<Write>) -> anyhow::Result<ServiceBuilder> {
    for batch in writes.chunks(BATCH) {
        for outcome in store.commit(batch.to_vec()).await? {
            anyhow::ensure!(matches!(outcome, Outcome::Done(_)), "a write was refused: {outcome:?}");
        }
    }
    Ok(Service::builder(store))
}

/// A builder of a service with a store in a folder or in a new database.
pub(crate) async fn builder(kind: Kind, folder: &Path) -> anyhow::Result<ServiceBuilder> {
    Data::new(kind, folder).builder().await
}

/// A new database on a server that syncs. It exists as long as the server, which ends soon after
/// the last process that uses it.
pub(crate) fn database() -> &'static Database {
    Box::leak(Box::new(Cluster::shared_durable().empty_database()))
}
