//! The in-memory store keeps the contract.

use dm_conformance::Harness;
use dm_core::store::{MemoryStore, StoreError};

/// An in-memory store, whose handles share their data.
pub(crate) struct Memory(MemoryStore);

impl Harness for Memory {
    type Store = MemoryStore;

    async fn fresh() -> Self {
        Self(MemoryStore::new())
    }

    async fn open(&self) -> Result<MemoryStore, StoreError> {
        Ok(self.0.clone())
    }
}

dm_conformance::suite!(Memory);
