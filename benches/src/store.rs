//! The stores, and services with them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use dm_core::{MemoryStore, Service, ServiceBuilder};
use dm_store_fjall::FjallStore;
use dm_store_postgres::PostgresStore;
use dm_store_redb::RedbStore;
use dm_store_sqlite::SqliteStore;
use dm_test_servers::postgres::{Cluster, Database};

use crate::subject::Kind;

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
        let file = |name| self.folder.join(name);
        let failed = "it does not open";
        Ok(match (self.kind, self.database) {
            (Kind::Memory, _) => Service::builder(MemoryStore::new()),
            (Kind::Sqlite, _) => Service::builder(SqliteStore::open(file("dm.db")).context(failed)?),
            (Kind::Redb, _) => Service::builder(RedbStore::open(file("dm.redb")).context(failed)?),
            (Kind::Fjall, _) => Service::builder(FjallStore::open(file("dm")).context(failed)?),
            (Kind::Postgres, Some(database)) => {
                Service::builder(PostgresStore::open(&database.parameters()).await.context(failed)?)
            }
            (kind, _) => anyhow::bail!("only sends can be measured with {kind:?}: there is no service"),
        })
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

/// A builder of a service with a store in a folder or in a new database.
pub(crate) async fn builder(kind: Kind, folder: &Path) -> anyhow::Result<ServiceBuilder> {
    Data::new(kind, folder).builder().await
}

/// A new database on a server that syncs. It exists as long as the server, which ends soon after
/// the last process that uses it.
pub(crate) fn database() -> &'static Database {
    Box::leak(Box::new(Cluster::shared_durable().empty_database()))
}
