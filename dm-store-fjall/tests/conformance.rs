//! The store on fjall keeps the contract.

#![allow(clippy::unwrap_used, reason = "tests")]

use dm_conformance::Harness;
use dm_core::StoreError;
use dm_store_fjall::FjallStore;
use tempfile::TempDir;

struct Folder(TempDir);

impl Harness for Folder {
    type Store = FjallStore;

    async fn fresh() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Result<FjallStore, StoreError> {
        FjallStore::open(self.0.path())
    }
}

dm_conformance::suite!(Folder);
