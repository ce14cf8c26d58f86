//! Proves that a [`Store`](dm_core::Store) keeps its contract, clause by clause.
//!
//! Tell the suite where your store keeps its data, and how to open it:
//!
//! ```
//! use dm_conformance::Harness;
//! use dm_core::{MemoryStore, StoreError};
//!
//! struct Memory(MemoryStore);
//!
//! impl Harness for Memory {
//!     type Store = MemoryStore;
//!
//!     async fn fresh() -> Self {
//!         Self(MemoryStore::new())
//!     }
//!
//!     async fn open(&self) -> Result<MemoryStore, StoreError> {
//!         Ok(self.0.clone())
//!     }
//! }
//!
//! dm_conformance::suite!(Memory);
//! # fn main() {}
//! ```
//!
//! In a file under `tests/`, that is one `#[test]` per case, in one module per clause of the contract:
//!
//! ```text
//! test never_reused::numbers_go_on_above_what_expired ... ok
//! ```
//!
//! A case that fails says which clause is broken, in the words of the contract.
//!
//! # In reading order
//!
//! - [`Harness`]: what a store author writes. [`suite!`]: what it becomes.
//! - [`CLAUSES`]: the contract that is tested, [`CONTRACT_VERSION`] of it.
//! - [`cases`]: the cases as data, for programs that run them otherwise.
//! - [`build`] and [`World`]: what the cases are written with, for a store's own tests.

pub mod build;
mod case;
#[doc(hidden)]
pub mod cases;
mod clause;
mod harness;
mod table;
mod world;

pub use case::{Case, cases, run};
pub use clause::{CLAUSES, CONTRACT_VERSION, Clause};
pub use harness::Harness;
pub use world::World;
