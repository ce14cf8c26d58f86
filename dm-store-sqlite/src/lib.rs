//! The embedded [`Store`] of `dm-core`, on SQLite.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("dm.db");
//! use dm_core::Service;
//! use dm_store_sqlite::SqliteStore;
//!
//! let store = SqliteStore::open(&path)?;
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # let _in_runtime = runtime.enter();
//! let dm = Service::builder(store).start()?;
//! # assert!(dm.health().is_ready());
//! # Ok(())
//! # }
//! ```
//!
//! One connection writes, on a thread of its own, one transaction and one fsync per batch; a few connections read.
//! The file is in WAL mode with `synchronous = FULL`: a commit that was answered survives a power cut.
//!
//! # In a host's own file
//!
//! With [`FileOwner::Host`] the store lives beside the host's tables. It owns only names that begin
//! with `dm_`, or with another [`TablePrefix`] of the host's choice, and refuses a file in which
//! such names stand for something else. It keeps its schema version in its own table, and touches
//! neither `user_version` nor the journal mode. A host may write to its own tables as often as it
//! likes: a row says who wrote to the store's last, and what the store keeps in memory stays.
//!
//! Several processes may share a file: they take turns, and each notices what another wrote. They
//! have to be of one version: when a newer one changes the tables, the others refuse to write
//! ([`NewerSchema`](dm_core::store::StoreErrorKind::NewerSchema)) until they are started anew.
//!
//! # Tables
//!
//! ```text
//! dm_conversations ◄── dm_sequence (conversation, seq) ──► dm_messages ◄── dm_inbox (user, seq) ──► dm_users
//!        ▲                        ▲  moved in bulk         appended           ▲  moved in bulk       ▲
//!        └─ dm_recent_sequence_0, _1                       by rowid   dm_recent_inbox_0, _1 ─────────┤
//!                                         dm_acked (device, seq) ──► dm_devices (cursor) ────────────┤
//!                                                      dm_keys (user, version), dm_announcements ────┘
//! ```
//!
//! Their columns are documented in `migrations/`.
//!
//! # When the disk fails
//!
//! A full disk is [`Full`](dm_core::store::StoreErrorKind::Full), and nothing of the batch is stored. With
//! [`reserve_bytes`](SqliteConfig::reserve_bytes) left, it does not come to that. After an error of
//! the file in a commit, whose outcome is [unknown](dm_core::store::StoreErrorKind::OutcomeUnknown), the
//! store closes its connections and opens them again; calls are
//! [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable) until that works. Then it copies what the
//! log holds into the file, because an operating system that could not write pages forgets that it
//! owes them.
//!
//! # Features
//!
//! `bundled` (default) compiles SQLite in. Turn it off in a host that links its own, and use 3.51.3 or later: before
//! that, a rare race could corrupt a database in WAL mode, and opening one logs a warning.

mod codec;
mod config;
mod connection;
mod database;
mod disk;
mod error;
mod names;
mod ownership;
mod read;
mod runs;
mod schema;
mod store;
mod write;

pub use config::{FileOwner, SqliteConfig};
pub use names::TablePrefix;
pub use store::SqliteStore;

#[cfg(doc)]
use dm_core::store::Store;
