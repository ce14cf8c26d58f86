//! Proves that a [`Store`](dm_core::store::Store) keeps its contract, clause by clause.
//!
//! Tell the suite where your store keeps its data, and how to open it:
//!
//! ```
//! use dm_conformance::Harness;
//! use dm_core::MemoryStore;
//! use dm_core::store::StoreError;
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
//! - [`guide`]: write a store, from nothing to one that passes.
//! - [`Harness`]: what a store author writes. [`suite!`]: what it becomes.
//! - [`CLAUSES`]: the contract that is tested, [`CONTRACT_VERSION`] of it.
//! - [`cases`]: the cases as data, for programs that run them otherwise.
//! - [`build`], [`reads`] and [`World`]: what the cases are written with, for a store's own tests.
//! - [`model`]: any sequence of operations, against a model. [`histories`]: many tasks at once, and a checker.
//! - [`crash`]: killing and reopening, in trials ([`crash_suite!`]); what was answered, for trials of your own.
//! - [`processes`]: two processes that write at once ([`processes_suite!`]).
//! - [`process`]: running a test once more in a child process, for a store's own tests.
//!
//! # Playing a failure again
//!
//! `model` plays 256 scripts made by chance (`DM_CASES=n` for another number), shrinks one that fails, and prints it.
//! Paste it back to play exactly that, through any store's suite: `DM_REPLAY='…' cargo test model`. A path to a file
//! with the script does as well; `DM_SEED=n` makes the same scripts again.
//!
//! `histories` lets tasks loose on one store and checks what they were answered against what is there afterwards. What
//! each task does comes from a printed seed: `DM_SEED=n DM_ROUNDS=100 cargo test histories` does that a hundred times, from
//! that seed on. How the tasks meet is up to the machine, so that a rare finding may take many rounds to come again.

//! # Time, and what is not proven
//!
//! A case that does not end fails after five minutes; `DM_CASE_SECONDS=n` is another limit, and
//! `DM_CASES` and `DM_ROUNDS` raise it with what they ask for.
//!
//! What a harness gives no means to prove is printed as not proven: that commits are synced, where
//! [`Harness::syncs`] counts none; two processes at once, where a store allows one. Cases that need
//! data to outlive the last handle are ignored, with the reason, where it does not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test suite: it fails by panicking"
)]

#[macro_use]
mod must;

#[doc(hidden)]
pub mod broken;
pub mod build;
mod case;
#[doc(hidden)]
pub mod cases;
mod chance;
mod clause;
pub mod crash;
#[cfg(all(doc, not(doctest)))]
pub mod guide;
mod harness;
pub mod histories;
pub mod lists;
pub mod model;
mod paging;
pub mod process;
pub mod processes;
pub mod reads;
mod snapshot;
mod suite;
mod table;
mod together;
mod world;

pub use case::{Case, cases, run};
pub use chance::Chance;
pub use clause::{CLAUSES, CONTRACT_VERSION, Clause};
pub use harness::Harness;
pub use snapshot::Snapshot;
pub use world::World;
