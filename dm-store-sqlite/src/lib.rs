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
//! One connection writes, on a thread of its own: a batch is one transaction and one fsync. A pool
//! of connections reads. A file of the store's own is in WAL mode (write-ahead log), in which reads
//! do not wait for writes. Every commit syncs (`synchronous = FULL`): a commit that has returned
//! survives a power cut.
//!
//! [`dm_core`](dm_core#terms) defines terms such as inbox, cursor, head and floor.
//!
//! # In a host's own file
//!
//! With [`FileOwner::Host`] the store uses a database file of the host, beside the host's tables.
//! It owns only names that begin with `dm_`, or with another [`TablePrefix`] of the host's choice.
//! It refuses a file in which tables with such names are not the store's. The schema version is in
//! a table of the store; the store does not change `user_version` and the journal mode. A host may
//! write to its own tables at any time. Such a write does not empty the store's caches, because a
//! row of the store names the last writer of the store's tables.
//!
//! Several processes may share a file. Their commits wait for each other, and each process notices
//! the commits of the others. All processes need the same version of the library. After a process
//! with a newer version has changed the tables, the others refuse to write
//! ([`NewerSchema`](dm_core::store::StoreErrorKind::NewerSchema)) until they are restarted with
//! that version.
//!
//! # Tables
//!
//! ```text
//! dm_conversations ◄── dm_sequence (conversation, seq) ──► dm_messages ◄── dm_inbox (user, seq) ──► dm_users
//!        ▲                        ▲  merged in bulk        appended           ▲  merged in bulk      ▲
//!        └─ dm_recent_sequence_0, _1                       by rowid   dm_recent_inbox_0, _1 ─────────┤
//!                                         dm_acked (device, seq) ──► dm_devices (cursor) ────────────┘
//! ```
//!
//! `dm_sequence` and `dm_inbox` are the *main tables*. New rows go into the smaller `dm_recent_…`
//! tables first, and are merged into the main tables later.
//!
//! Five tables are not in the drawing: `dm_records` has the records by owner, kind and name;
//! `dm_gates` has the gates of pairs without a conversation; `dm_client_ids` finds a sender's message
//! by its client id; `dm_merge` holds the progress of merging and the last writer; `dm_schema` holds
//! the version. What a send compares (fences, gates and counts) is in the rows of users,
//! conversations and new messages, which it reads anyway.
//!
//! The column `ref` is a short number for a user, conversation, message or device, which other rows
//! use in place of the id. The columns are documented in `migrations/`.
//!
//! # When the disk fails
//!
//! On a full disk a batch fails as [`Full`](dm_core::store::StoreErrorKind::Full), and nothing of
//! the batch is stored. [`reserve_bytes`](SqliteConfig::reserve_bytes) prevents this: the store
//! refuses new messages before the disk is full.
//!
//! After an I/O error in a commit, the batch fails as
//! [`OutcomeUnknown`](dm_core::store::StoreErrorKind::OutcomeUnknown). The store then closes its
//! connections and opens them again. Calls fail as
//! [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable) until the file is open.
//!
//! After opening the file again, the store runs a WAL checkpoint, which copies the pages of the
//! write-ahead log into the database file and syncs that file. The reason is a property of Linux:
//! after a failed `fsync`, a page of the log can be read from memory, but the system does not try
//! to write it to the disk again. Without the checkpoint, the store could return data that is lost
//! in a later power cut.
//!
//! # Features
//!
//! `bundled` (default) compiles SQLite as a part of the program. Turn this feature off in a host
//! that links its own SQLite, and link 3.51.3 or later. Earlier versions have a rare race that can
//! corrupt a database in WAL mode. Opening a store with an earlier version logs a warning.
//!
//! # Modules, in reading order
//!
//! - `migrations/` documents the tables. `schema` runs the migrations. Before that, `ownership`
//!   checks that tables with the store's names are the store's.
//! - `config` is the configuration. `connection` opens the connections. `database` is a connection
//!   that puts the [`TablePrefix`] into statements.
//! - `recent` has the small tables of new rows, and merges them into the main tables.
//! - `write` commits batches: `rows` has the methods that the core calls, and there is one file for
//!   each kind of action or effect. `read` has the queries.
//! - `store` is [`SqliteStore`], which opens these parts.
//! - `codec` converts values to columns and back, `error` converts errors, `disk` reads the free
//!   space.

mod codec;
mod config;
mod connection;
mod database;
mod disk;
mod error;
mod ownership;
mod read;
mod recent;
mod schema;
mod store;
mod table_prefix;
mod write;

pub use config::{FileOwner, SqliteConfig};
pub use store::SqliteStore;
pub use table_prefix::TablePrefix;

#[cfg(doc)]
use dm_core::store::Store;
