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
//! fjall suits a server that is busy all the time: on the same disk it writes a fifth more messages
//! per second than SQLite in large batches, and half as many again with a million stored. SQLite
//! suits a host that wants one file which every tool reads, several processes on one file, opening
//! without a wait after any writes, or little memory: fjall keeps recent writes in memory, some
//! hundred megabytes on a busy server ([`FjallConfig`] bounds them).
//!
//! One thread writes, one batch of the engine and one `fdatasync` per commit: a commit that was
//! answered survives a power cut. Reads see the newest committed state, never a part of a batch,
//! and wait for no other call. One process has the folder open; a second one is refused as
//! [`Locked`](dm_core::store::StoreErrorKind::Locked).
//!
//! # Speed
//!
//! `docs/performance.md` compares the store with the engine alone. More than half of the commit
//! thread's time goes into the engine's skip lists. Creating a folder takes longer than opening
//! one, because fjall syncs each file and folder that it creates; `src/tables.rs` has the times.
//!
//! The host's allocator matters more than with other stores, because one thread frees the memory
//! that another one allocated. With glibc's allocator, in which such threads wait for each other, a
//! store that is merging writes 42,000 messages per second, and one send in a thousand takes 390
//! ms. With mimalloc it writes 54,000 and the same send takes 110 ms, and with jemalloc likewise
//! (medians of three runs, with a million messages stored). The library sets no allocator.
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
//!                   keys, announcements ──┘  └── devices (cursor) ◄── acked (user, device, seq)
//! ```
//!
//! They share three keyspaces: `dm_messages`, `dm_logs` (sequence and inbox) and `dm_rows`.
//! `dm-store-kv` documents the bytes of each table. A folder of the store's own also has
//! `dm_schema`, a small file with the schema's version, which is checked before the folder is
//! opened.
//!
//! # When the disk fails
//!
//! A commit that fails is [`OutcomeUnknown`](dm_core::store::StoreErrorKind::OutcomeUnknown),
//! because fjall cannot tell whether its journal became durable, also when the disk was full. From
//! then on, and after an error while tables are written in the background, fjall refuses all writes
//! until it is opened again. A store that opened its folder reopens it by itself, and calls are
//! refused as [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable) until that succeeds. A
//! store in a host's database stays [`Closed`](dm_core::store::StoreErrorKind::Closed). While less
//! than [`reserve_bytes`](FjallConfig::reserve_bytes) are free, writes that need room are refused
//! before fjall is called.
//!
//! Opening reads the journals. A last batch that is incomplete is dropped, because it was never
//! answered. So is a last batch with wrong bytes, which a power cut leaves if the disk wrote the
//! last pages in another order. A batch with wrong bytes before the last one is
//! [`Corrupt`](dm_core::store::StoreErrorKind::Corrupt). In a host's database fjall alone decides,
//! and refuses wrong bytes everywhere.
//!
//! # In reading order
//!
//! `store` opens a database, with the choices of `config`. `engine` is shared by all stores of a
//! database. `schema` migrates the keyspaces to this version. `table` is a part of a keyspace,
//! `tables` opens all of them, `rows` reads them and keeps the changes of a batch. `journals`
//! repairs what a failed sync or a power cut left, `torn` finds a torn batch. `write` and `read`
//! are the two halves of the store. `error` translates fjall's errors.

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
