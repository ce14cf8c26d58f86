//! The store in a SQLite file keeps the contract.

#![allow(clippy::unwrap_used, reason = "tests")]

use dm_conformance::Harness;
use dm_core::StoreError;
use dm_store_sqlite::SqliteStore;
use tempfile::TempDir;

struct Sqlite(TempDir);

impl Harness for Sqlite {
    type Store = SqliteStore;

    async fn fresh() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Result<SqliteStore, StoreError> {
        SqliteStore::open(self.0.path().join("dm.db"))
    }
}

dm_conformance::suite!(Sqlite);
