//! The store on fjall keeps the contract.

use dm_conformance::Harness;
use dm_core::StoreError;
use dm_store_fjall::FjallStore;
use tempfile::TempDir;

struct Folder(TempDir);

impl Harness for Folder {
    type Store = FjallStore;

    async fn fresh() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    async fn open(&self) -> Result<FjallStore, StoreError> {
        FjallStore::open(self.0.path())
    }
}

dm_conformance::suite!(Folder);
