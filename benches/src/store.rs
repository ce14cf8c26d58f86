//! The stores, and services over them.

use std::path::Path;

use anyhow::Context as _;
use dm_core::{MemoryStore, Service, ServiceBuilder};
use dm_store_fjall::FjallStore;
use dm_store_redb::RedbStore;
use dm_store_sqlite::SqliteStore;

use crate::subject::Kind;

/// A builder of a service over a store in a folder.
pub(crate) fn builder(kind: Kind, folder: &Path) -> anyhow::Result<ServiceBuilder> {
    Ok(match kind {
        Kind::Memory => Service::builder(MemoryStore::new()),
        Kind::Sqlite => {
            Service::builder(SqliteStore::open(folder.join("dm.db")).context("it does not open")?)
        }
        Kind::Redb => Service::builder(RedbStore::open(folder.join("dm.redb")).context("it does not open")?),
        Kind::Fjall => Service::builder(FjallStore::open(folder.join("dm")).context("it does not open")?),
        Kind::SeedPath | Kind::EngineSqlite | Kind::EngineRedb | Kind::EngineFjall => {
            anyhow::bail!("only sends can be measured with {kind:?}: there is no service")
        }
    })
}
