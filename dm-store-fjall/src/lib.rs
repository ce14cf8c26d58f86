//! The [`Store`] of `dm-core` on fjall: embedded, log-structured, in pure Rust.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path().join("dm");
//! use dm_core::{Hub, Service};
//! use dm_store_fjall::FjallStore;
//!
//! let store = FjallStore::open(&folder)?;
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # let _in_runtime = runtime.enter();
//! let hub = Hub::new();
//! let dm = Service::builder(store).notifier(hub.clone()).start()?;
//! # assert!(dm.health().is_ready());
//! # Ok(())
//! # }
//! ```
//!
//! Take it rather than SQLite for a server that is busy all the time: on the same disk it writes two to three times
//! as many messages per second, one by one as well as in batches. Take SQLite for one file that every tool reads,
//! for several processes on one file, for opening at once whatever was written, and where memory is scarce: fjall
//! keeps what it wrote lately in memory, some hundred megabytes on a busy server ([`FjallConfig`] bounds them).
//!
//! One thread writes, one batch of the engine and one `fdatasync` per commit: what was answered survives a power
//! cut. Readers see the newest committed state, never a part of a batch, and wait for nobody. One process has the
//! folder open; a second one is refused as locked.
//!
//! Measured with `examples/throughput.rs` on two cores with little else to do: 55,000 to 92,000 durable sends of 512
//! bytes per second through the service. Beside the engine alone writing the same rows, the median of five rounds was
//! 1.02 and, with other work on the machine, 0.98; single rounds went from 0.70 to 1.15, and the first ones, on an
//! empty store, from 0.75 to 0.84. More than half of the commit thread's time goes into the engine's skip lists. The
//! process took 376 MB of memory while the store wrote without pause.
//!
//! # In a host's own database
//!
//! A host that has a fjall database open gives it to [`FjallStore::from_database`]. The store owns only keyspaces
//! whose names begin with `dm_`, and keeps its schema version in one of them.
//!
//! # Keyspaces
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
//! The bytes of each are documented in `src/tables.rs`. In a folder of its own the store also keeps `dm_schema`, a
//! small file with the schema's version, which says whether the folder may be opened at all.
//!
//! # When the disk fails
//!
//! A commit that fails is [`OutcomeUnknown`](dm_core::StoreErrorKind::OutcomeUnknown), because fjall cannot tell
//! whether its journal became durable; a full disk is one of the reasons. From then on, and after an error while
//! tables are written in the background, fjall refuses all writes until it is opened again; so does the store, as
//! [`Closed`](dm_core::StoreErrorKind::Closed).
//!
//! Opening reads the journals. A last batch that ends too early is dropped, as one that was never answered. One
//! whose bytes are there but wrong is [`Corrupt`](dm_core::StoreErrorKind::Corrupt), even at the very end, where a
//! power cut may leave it if the disk wrote the last pages in another order.
//!
//! # In reading order
//!
//! `store` opens and holds it, `config` says how, `engine` is what all stores of a database share, `schema` brings
//! the keyspaces to this version, `tables` describes them, `codec` makes their bytes, `heads` remembers the newest
//! numbers, `write` and `read` do the work, `error` translates.

mod codec;
mod config;
mod engine;
mod error;
mod heads;
mod read;
mod schema;
mod store;
mod tables;
mod write;

pub use config::FjallConfig;
pub use store::FjallStore;

#[cfg(doc)]
use dm_core::Store;
