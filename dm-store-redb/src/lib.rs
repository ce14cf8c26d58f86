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
//! One thread writes. Each batch is one transaction, committed in two phases with
//! `Durability::Immediate`, so that an answered commit survives a power cut. Reads see the newest
//! commit and do not wait for a commit that is running. Only one process can have the file open; a
//! second one is refused as [`Locked`](dm_core::store::StoreErrorKind::Locked).
//!
//! [`dm_core`](dm_core#terms) defines terms such as inbox, cursor, head and floor.
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
//!               dm_revisions (user, rev) ────┘    └── dm_devices (cursor) ◄── dm_acked (user, device, seq)
//!                            │
//!  dm_due (kind, time, key) ─► dm_records (owner, kind, name)
//! ```
//!
//! `dm-store-kv` documents the bytes of each table. `dm_sequence` and `dm_inbox` are *main tables*:
//! new rows go into small tables first, the *runs* `dm_sequence_run_0` and so on. The rows of the
//! runs are merged into the main tables later, some of them with each batch. redb copies each page
//! that a batch changes, and with runs a batch changes fewer pages. Runs doubled the number of
//! sends per second.
//!
//! # When the disk fails
//!
//! After the first error in reading or writing the file, redb refuses all calls on the database
//! until the database is opened again. A full disk is such an error, too.
//!
//! - A store that opened its file opens it again by itself. Calls fail as
//!   [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable) until this succeeds.
//! - Calls of a store in a host's database fail as
//!   [`Closed`](dm_core::store::StoreErrorKind::Closed) from then on.
//! - A commit that fails is reported as
//!   [`OutcomeUnknown`](dm_core::store::StoreErrorKind::OutcomeUnknown), because redb cannot tell
//!   whether it became durable.
//! - While fewer than [`reserve_bytes`](RedbConfig::reserve_bytes) bytes are free, writes that need
//!   space are refused before redb is called.
//!
//! # In reading order
//!
//! `store` opens a database, as `config` says. `schema` migrates the tables to this version.
//! `lazy_table` is a table of redb. `recent` has the runs of a main table. `table_with_runs`
//! implements a table of `dm-store-kv` as a main table with its runs, `tables` opens all tables.
//! `write` and `read` are the writer and the reader of the store. `error` maps redb's errors to
//! those of `dm-core`.

mod config;
mod error;
mod lazy_table;
mod read;
mod recent;
mod schema;
mod store;
mod table_with_runs;
mod tables;
mod write;

pub use config::{Recovery, RedbConfig};
pub use store::RedbStore;

#[cfg(doc)]
use dm_core::store::Store;
