//! The stores, and services over them.

use std::path::Path;

use anyhow::Context as _;
use dm_core::{MemoryStore, Service, ServiceBuilder};
use dm_store_fjall::FjallStore;
use dm_store_postgres::PostgresStore;
use dm_store_redb::RedbStore;
use dm_store_sqlite::SqliteStore;
use dm_test_servers::postgres::{Cluster, Database};

use crate::subject::Kind;

/// A builder of a service over a store in a folder, or in a new database.
pub(crate) async fn builder(kind: Kind, folder: &Path) -> anyhow::Result<ServiceBuilder> {
    Ok(match kind {
        Kind::Memory => Service::builder(MemoryStore::new()),
        Kind::Sqlite => {
            Service::builder(SqliteStore::open(folder.join("dm.db")).context("it does not open")?)
        }
        Kind::Redb => Service::builder(RedbStore::open(folder.join("dm.redb")).context("it does not open")?),
        Kind::Fjall => Service::builder(FjallStore::open(folder.join("dm")).context("it does not open")?),
        Kind::Postgres => {
            let database = database();
            let store = PostgresStore::open(&database.parameters()).await;
            Service::builder(store.context("it does not open")?)
        }
        Kind::SeedPath | Kind::PostgresPath | Kind::EngineSqlite | Kind::EngineRedb | Kind::EngineFjall => {
            anyhow::bail!("only sends can be measured with {kind:?}: there is no service")
        }
    })
}

/// A new database on a server that syncs. It lasts as long as the server, which ends soon after the last process that
/// uses it.
pub(crate) fn database() -> &'static Database {
    Box::leak(Box::new(Cluster::shared_durable().empty_database()))
}
