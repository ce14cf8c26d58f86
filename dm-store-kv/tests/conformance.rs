//! The store of the example in the crate's documentation keeps each clause of the contract.

#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, reason = "the example is a program as well")]
#[path = "../examples/ordered_map.rs"]
mod ordered_map;

use dm_conformance::Harness;
use dm_core::store::{Embedded, StoreError};
use dm_store_kv::Reader;

use ordered_map::Database;

/// A store in memory, which exists as long as the harness.
struct Map(Embedded<Reader<Database>>);

impl Harness for Map {
    type Store = Embedded<Reader<Database>>;

    async fn fresh() -> Self {
        Self(ordered_map::open().unwrap())
    }

    async fn open(&self) -> Result<Self::Store, StoreError> {
        Ok(self.0.clone())
    }
}

dm_conformance::suite!(Map);
