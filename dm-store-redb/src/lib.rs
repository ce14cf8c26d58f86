//! The [`Store`] of `dm-core` on redb: embedded, in one file, in pure Rust.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("dm.redb");
//! use dm_core::Service;
//! use dm_store_redb::RedbStore;
//!
//! let store = RedbStore::open(&path)?;
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # let _in_runtime = runtime.enter();
//! let dm = Service::builder(store).start()?;
//! # assert!(dm.health().is_ready());
//! # Ok(())
//! # }
//! ```
//!
//! One thread writes, one transaction per batch, with `Durability::Immediate` and in two phases: a
//! commit that was answered survives a power cut. Reads see the newest commit and wait for no other
//! call. One process has the file open; a second one is refused as
//! [`Locked`](dm_core::store::StoreErrorKind::Locked).
//!
//! # In a host's own database
//!
//! A host that has a redb database open gives it to [`RedbStore::from_database`]. The store owns
//! only tables whose names begin with `dm_`, and keeps its schema version in one of them.
//!
//! # Tables
//!
//! ```text
//! dm_conversation_ids ─► dm_conversations ◄─ dm_sequence ─► dm_messages ◄─ dm_message_ids
//!            dm_pairs ─►    ▲   (conversation, sequence)    by row  ▲  ◄─ dm_client_ids
//!                           │                                       │
//!        dm_members (user, conversation) ─► dm_users ◄── dm_inbox (user, seq)
//!                            dm_user_ids ─►  ▲    ▲      dm_floors, dm_oldest
//!                dm_keys, dm_announcements ──┘    └── dm_devices (cursor) ◄── dm_acked (user, device, seq)
//! ```
//!
//! `dm-store-kv` documents the bytes of each. The newest rows of `dm_sequence` and `dm_inbox` are
//! in small trees of their own, `dm_sequence_run_0` and so on, and some of them are moved with each
//! batch. redb copies each page that a batch changes, and few pages change in this way. It doubled
//! the number of sends per second.
//!
//! # When the disk fails
//!
//! redb refuses all work on a database after the first error of its file, a full disk included,
//! until it is opened again. A store that opened its file reopens it by itself, and calls are
//! refused as [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable) until that succeeds. A
//! store in a host's database stays [`Closed`](dm_core::store::StoreErrorKind::Closed). A commit
//! that fails is [`OutcomeUnknown`](dm_core::store::StoreErrorKind::OutcomeUnknown), because redb
//! cannot tell whether it became durable. While less than
//! [`reserve_bytes`](RedbConfig::reserve_bytes) are free, writes that need room are refused before
//! redb is called.
//!
//! # In reading order
//!
//! `store` opens a database, with the choices of `config`. `schema` migrates the tables to this
//! version. `tree` is a table of redb, `recent` has the newest rows of a log in small trees.
//! `stored` implements a table of `dm-store-kv` on both, `tables` opens all tables. `write` and
//! `read` are the two halves of the store. `error` translates redb's errors.

mod config;
mod error;
mod read;
mod recent;
mod schema;
mod store;
mod stored;
mod tables;
mod tree;
mod write;

pub use config::{Recovery, RedbConfig};
pub use store::RedbStore;

#[cfg(doc)]
use dm_core::store::Store;
