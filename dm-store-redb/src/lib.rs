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
//! commit that was answered survives a power cut. Readers see the newest commit and wait for
//! nobody. One process has the file open; a second one is refused as locked.
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
//! The bytes of each are documented in `dm-store-kv`. The newest rows of `dm_sequence` and
//! `dm_inbox` are in small trees of their own, `dm_sequence_run_0` and so on, from which they are
//! moved some with each batch: redb copies each page that a batch changes, and in this way a batch
//! changes few. It doubled the sends.
//!
//! # When the disk fails
//!
//! redb refuses all work on a database after the first error of its file, a full disk included,
//! until it is opened again. A store that opened its file does that by itself, and is
//! [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable) until it works; one in a host's
//! database stays [`Closed`](dm_core::store::StoreErrorKind::Closed). A commit that fails is
//! [`OutcomeUnknown`](dm_core::store::StoreErrorKind::OutcomeUnknown), because redb cannot tell
//! whether it became durable. With [`reserve_bytes`](RedbConfig::reserve_bytes) left, a full disk
//! is refused before redb is called.
//!
//! # In reading order
//!
//! `store` opens and holds it, `config` says how, `schema` brings the tables to this version.
//! `tree` is a table of redb, `runs` tells where the rows of a log lie. `recent` are the newest of
//! them, with their `numbers`; `walk` goes over these and the large tree, `newest` finds the last
//! rows of many owners, `settle` moves rows. `stored` is a table as `dm-store-kv` wants it,
//! `tables` are all of them; `write` and `read` are handed to it, which does the work. `error`
//! translates.

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
