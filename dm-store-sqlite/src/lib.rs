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
//! One connection writes, on a thread of its own: a batch is one transaction and one fsync. A few
//! more connections read. A file of the store's own is in WAL mode. Every commit syncs
//! (`synchronous = FULL`): once it returned, it survives a power cut.
//!
//! # In a host's own file
//!
//! With [`FileOwner::Host`] the store uses a database file of the host, beside the host's tables.
//! It owns only names that begin with `dm_`, or with another [`TablePrefix`] of the host's choice.
//! It refuses a file in which tables with such names are not the store's. Its schema version is in
//! a table of its own, and `user_version` and the journal mode stay as they are. A host may write
//! to its own tables as often as it likes: a row names the last writer of the store's tables, so
//! that a write of the host does not empty the store's caches.
//!
//! Several processes may share a file: they take turns, and each notices what another wrote. All
//! of them need the same version of the library. After a newer version changed the tables, the
//! others refuse to write ([`NewerSchema`](dm_core::store::StoreErrorKind::NewerSchema)) until they
//! are restarted with that version.
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
//! Not drawn are `dm_client_ids`, which finds a sender's message by its client id, `dm_merge`,
//! which says how far recent rows are moved and who wrote last, and `dm_schema`, which holds the
//! version. The columns are documented in `migrations/`.
//!
//! # When the disk fails
//!
//! On a full disk a batch fails as [`Full`](dm_core::store::StoreErrorKind::Full), and nothing of
//! it is stored. [`reserve_bytes`](SqliteConfig::reserve_bytes) prevents this: the store refuses
//! new messages before the disk is full.
//!
//! After an I/O error in a commit the outcome is
//! [unknown](dm_core::store::StoreErrorKind::OutcomeUnknown). The store then closes its connections
//! and opens them again; calls are [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable)
//! until that works. Then it copies the log into the file: an operating system that failed to write
//! a page does not try again, although the page can still be read.
//!
//! # Features
//!
//! `bundled` (default) compiles SQLite in. Turn it off in a host that links its own SQLite, and
//! link 3.51.3 or later. Earlier versions have a rare race that can corrupt a database in WAL mode;
//! opening a store on one of them logs a warning.

mod codec;
mod config;
mod connection;
mod database;
mod disk;
mod error;
mod names;
mod ownership;
mod read;
mod recent;
mod schema;
mod store;
mod write;

pub use config::{FileOwner, SqliteConfig};
pub use names::TablePrefix;
pub use store::SqliteStore;

#[cfg(doc)]
use dm_core::store::Store;
