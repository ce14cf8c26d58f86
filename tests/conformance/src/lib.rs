//! A test suite that checks whether a [`Store`](dm_core::store::Store) keeps its contract, clause
//! by clause.
//!
//! Implement [`Harness`]: it tells the suite how to make an empty storage location and how to open
//! your store there.
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
//! In a file under `tests/`, [`suite!`] makes one `#[test]` per case, in one module per clause of
//! the contract:
//!
//! ```text
//! test never_reused::numbers_go_on_above_expired_entries ... ok
//! ```
//!
//! A case that fails prints the clause that the store breaks, in the words of the contract.
//!
//! # In reading order
//!
//! - [`guide`]: "Write a store", from nothing to a store that passes.
//! - [`Harness`]: the trait that a store author implements. [`suite!`]: the tests made from it.
//!   [`FolderHarness`] implements the trait for a store in a file or a folder.
//! - [`CLAUSES`]: the contract that is tested, in version [`CONTRACT_VERSION`].
//! - [`cases`]: the cases as data, for programs that run them in another way.
//! - [`build`], [`records`], [`reads`], [`outcome`] and [`World`]: helpers of the cases, also for a
//!   store's own tests.
//! - [`model`]: random scripts of operations, compared with a model. [`histories`]: concurrent
//!   tasks, and a checker of their answers.
//! - [`crash`]: trials that kill and reopen a store ([`crash_suite!`]), and an oracle for your own
//!   trials.
//! - [`processes`]: two processes that write at the same time ([`processes_suite!`]).
//! - [`failed_commits`]: a check of a store after a failed commit, for a store's own tests.
//! - [`process`]: runs a test again in a child process, for a store's own tests.
//!
//! # Repeating a failure
//!
//! `model` plays 256 random scripts (`DM_CASES=n` changes the number). It shrinks a script that
//! fails and prints it. `DM_REPLAY='…' cargo test model` plays the printed script again, with any
//! store's suite; the value may also be the path of a file that holds the script. `DM_SEED=n` makes
//! the same scripts again.
//!
//! `histories` runs concurrent tasks on one store and compares their answers with the stored data
//! afterwards. A printed seed determines the calls of each task: `DM_SEED=n DM_ROUNDS=100 cargo
//! test histories` runs a hundred rounds, the first with seed `n`. The seed does not determine how
//! the tasks interleave, so a rare finding may take many rounds to appear again.
//!
//! # Time limit, and checks that are not made
//!
//! A case fails if it does not end within five minutes. `DM_CASE_SECONDS=n` sets another limit;
//! larger values of `DM_CASES` and `DM_ROUNDS` raise it in proportion.
//!
//! The suite prints `not proven` for a check that it cannot make with this harness: that commits
//! are synced, if [`Harness::syncs`] returns `None`; two processes at the same time, if the store
//! allows only one. Cases that need data to outlive the last handle are ignored, with the reason,
//! if [`Harness::REOPENS`] is `false`.

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
pub mod failed_commits;
mod folder_harness;
#[cfg(all(doc, not(doctest)))]
pub mod guide;
mod harness;
pub mod histories;
pub mod lists;
pub mod model;
pub mod outcome;
mod paging;
mod pinned;
pub mod process;
pub mod processes;
pub mod reads;
pub mod records;
mod snapshot;
mod suite;
mod table;
mod together;
mod world;

pub use case::{Case, cases, run};
pub use chance::Chance;
pub use clause::{CLAUSES, CONTRACT_VERSION, Clause};
pub use folder_harness::{FolderHarness, OpenAt};
pub use harness::Harness;
pub use snapshot::Snapshot;
pub use world::World;
