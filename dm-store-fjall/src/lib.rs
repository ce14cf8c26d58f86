//! The [`Store`] of `dm-core` on fjall: embedded, log-structured, in pure Rust.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path().join("dm");
//! use dm_core::Service;
//! use dm_store_fjall::FjallStore;
//!
//! let store = FjallStore::open(&folder)?;
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # let _in_runtime = runtime.enter();
//! let dm = Service::builder(store).start()?;
//! # assert!(dm.health().is_ready());
//! # Ok(())
//! # }
//! ```
//!
//! # fjall or SQLite
//!
//! fjall suits a server that is busy all the time: on the same disk it writes 20 % more messages
//! per second than SQLite in large batches, and 50 % more with a million messages stored. fjall
//! keeps recent writes in memory, some hundred megabytes on a busy server. Fields of
//! [`FjallConfig`] limit this memory.
//!
//! SQLite suits a host that needs one of these: a file that many tools can read; several processes
//! on one file; opening without reading journals; little memory.
//!
//! One thread writes. Each commit is one batch of the engine and one `fdatasync`, so a commit that
//! was answered survives a power cut. Reads see the newest committed state, never a part of a
//! batch, and do not wait for a commit that is running. Only one process can have the folder open;
//! a second one is refused as [`Locked`](dm_core::store::StoreErrorKind::Locked).
//!
//! # Speed
//!
//! `docs/performance.md` compares the store with the engine alone. More than half of the commit
//! thread's time goes into the engine's skip lists. Creating a folder takes longer than opening
//! one, because fjall syncs each file and folder that it creates; `src/tables.rs` has the times.
//!
//! The host's allocator matters more than with other stores, because one thread frees the memory
//! that another one allocated. In glibc's allocator such threads wait for each other. The table was
//! measured with a million messages stored, while fjall merged files in the background (medians of
//! three runs). The library sets no allocator.
//!
//! | allocator | messages per second | slowest thousandth of sends |
//! |---|---|---|
//! | glibc | 42,000 | 390 ms |
//! | mimalloc, and much the same with jemalloc | 54,000 | 110 ms |
//!
//! # In a host's own database
//!
//! A host that has a fjall database open gives it to [`FjallStore::from_database`]. The store owns
//! only keyspaces whose names begin with `dm_`, and keeps its schema version in one of them.
//!
//! # Tables
//!
//! ```text
//! conversation_ids ─► conversations ◄─ sequence ─► messages ◄─ message_ids
//!            pairs ─►    ▲   (conversation, seq)   by row ▲  ◄─ client_ids
//!                        │                                │
//!        members (user, conversation) ─► users ◄── inbox (user, seq)
//!                            user_ids ─►  ▲  ▲     floors, oldest
//!                revisions (user, rev) ───┘  └── devices (cursor) ◄── acked (user, device, seq)
//!                            │
//!  due (kind, time, key) ─► records (owner, kind, name)
//! ```
//!
//! The tables share three keyspaces: `dm_messages`, `dm_logs` (with the tables `sequence` and
//! `inbox`) and `dm_rows`. `dm-store-kv` documents the bytes of each table. A folder of the store's
//! own also has `dm_schema`, a small file with the schema's version, which is checked before the
//! folder is opened.
//!
//! # When the disk fails
//!
//! A commit that fails is [`OutcomeUnknown`](dm_core::store::StoreErrorKind::OutcomeUnknown), even
//! on a full disk, because fjall cannot tell whether its journal became durable. After a failed
//! commit, or after an error of a background thread that writes to the disk, fjall refuses all
//! writes until it is opened again:
//!
//! - A store that opened its folder reopens it by itself. Until the folder is open again, calls are
//!   refused as [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable).
//! - Calls of a store in a host's database fail as
//!   [`Closed`](dm_core::store::StoreErrorKind::Closed) from then on.
//!
//! While fewer than [`reserve_bytes`](FjallConfig::reserve_bytes) bytes are free, writes that need
//! space are refused before fjall is called.
//!
//! Opening reads the journals. An incomplete batch at the end is dropped, because it was never
//! answered. A last batch with wrong bytes is dropped, too: a power cut leaves such a batch if the
//! disk wrote the last pages in another order. Wrong bytes before the last batch are
//! [`Corrupt`](dm_core::store::StoreErrorKind::Corrupt). A host opens its database with fjall
//! alone, and fjall refuses wrong bytes everywhere.
//!
//! # In reading order
//!
//! A keyspace is fjall's ordered map, and has several tables here. `store` opens a database, with
//! the options of `config`. `engine` is the open database, which all stores in it share. `schema`
//! migrates the tables to this version. `table` is one table of a keyspace, and `tables` opens all
//! tables. `rows` reads tables and keeps the changes of a batch. `journals` repairs journals after
//! a failed sync or a power cut, and `torn` finds a batch that a power cut damaged. `write` and
//! `read` are the writer and the reader of the store. `error` translates fjall's errors.

mod config;
mod engine;
mod error;
mod journals;
mod read;
mod rows;
mod schema;
mod store;
mod table;
mod tables;
mod torn;
mod write;

pub use config::FjallConfig;
pub use store::FjallStore;

#[cfg(doc)]
use dm_core::store::Store;
