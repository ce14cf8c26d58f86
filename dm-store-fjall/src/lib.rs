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
//! Take it rather than SQLite for a server that is busy all the time: on the same disk it writes a
//! fifth more messages per second in large batches, and half as many again with a million stored.
//! Take SQLite for one file that every tool reads, for several processes on one file, for opening
//! at once whatever was written, and where memory is scarce: fjall keeps what it wrote lately in
//! memory, some hundred megabytes on a busy server ([`FjallConfig`] bounds them).
//!
//! One thread writes, one batch of the engine and one `fdatasync` per commit: what was answered
//! survives a power cut. Readers see the newest committed state, never a part of a batch, and wait
//! for nobody. One process has the folder open; a second one is refused as locked.
//!
//! How fast it is stands in `docs/performance.md`, beside the engine alone. More than half of the
//! commit thread's time goes into the engine's skip lists. A new folder takes longer than one that
//! is there, because fjall syncs each file and folder that it makes; `src/tables.rs` says how long.
//!
//! The host's allocator matters more than with other stores, because what one thread allocated is
//! freed by others. On glibc's, which makes them wait for each other, a store that is merging does
//! 42,000 messages per second and one in a thousand takes 390 ms; on mimalloc 54,000 and 110 ms, on
//! jemalloc the same (medians of three, with a million messages stored). The library sets none.
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
//! They share three keyspaces: `dm_messages`, `dm_logs` (sequence and inbox) and `dm_rows`. The
//! bytes of each are documented in `dm-store-kv`. In a folder of its own the store also keeps
//! `dm_schema`, a small file with the schema's version, which says whether the folder may be opened
//! at all.
//!
//! # When the disk fails
//!
//! A commit that fails is [`OutcomeUnknown`](dm_core::store::StoreErrorKind::OutcomeUnknown),
//! because fjall cannot tell whether its journal became durable; a full disk is one of the reasons.
//! From then on, and after an error while tables are written in the background, fjall refuses all
//! writes until it is opened again. A store that opened its folder does that by itself, and is
//! [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable) until it works; one in a host's
//! database stays [`Closed`](dm_core::store::StoreErrorKind::Closed). With
//! [`reserve_bytes`](FjallConfig::reserve_bytes) left, a full disk is refused before fjall is
//! called.
//!
//! Opening reads the journals. A last batch that ends too early is dropped, as one that was never
//! answered; so is one whose bytes are wrong, as a power cut leaves it if the disk wrote the last
//! pages in another order. A batch with wrong bytes before the last one is
//! [`Corrupt`](dm_core::store::StoreErrorKind::Corrupt). In a host's database fjall alone decides,
//! and refuses wrong bytes everywhere.
//!
//! # In reading order
//!
//! `store` opens and holds it, `config` says how, `engine` is what all stores of a database share,
//! `schema` brings the keyspaces to this version, `tables` says where the tables are, `rows` looks
//! into them and keeps a batch's changes, `journals` mends what a failed sync or a power cut left,
//! with `torn` to find it, `write` and `read` are handed to `dm-store-kv`, which does the work,
//! `error` translates.

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
