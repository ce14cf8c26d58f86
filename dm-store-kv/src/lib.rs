//! The tables, rows, reads and writes of a `dm-core` store, for any engine that is an ordered map
//! of bytes to bytes, such as LMDB or RocksDB. `dm-store-redb` and `dm-store-fjall` are built on
//! this crate.
//!
//! An engine implements:
//!
//! - [`Rows`]: a table in one committed state, with `get` and `walk`.
//! - [`Changes`]: a table that a batch is changing, with `insert` and `remove`.
//! - [`Snapshots`], which opens the newest committed state of all [`Tables`]. A [`Reader`] over
//!   `Snapshots` is the store's reader.
//! - [`EngineWriter`](dm_core::store::EngineWriter), the store's writer. For each batch it opens
//!   the tables, calls [`apply`], and makes the changes durable in one transaction.
//!
//! [`Embedded`](dm_core::store::Embedded) makes a store of the reader and the writer. In the
//! following example the engine is the map of the standard library:
//!
#![doc = concat!("```\n", include_str!("../examples/ordered_map.rs"), "```")]
//!
//! `dm_conformance::suite!` tests that a store keeps its contract. The example passes this suite,
//! in `tests/conformance.rs`.
//!
//! # Terms
//!
//! [`dm_core`](dm_core#terms) defines inbox, entry, cursor, device and batch. This crate adds:
//!
//! - *head*: the newest number of a conversation or of a user's inbox, with the other fields that a
//!   send needs: counts, the tag of the fence, and the gate. [`Heads`] keeps heads in memory.
//! - *note*: a row with the number of a head, so that the head is found again with one lookup, and
//!   without a search for the last row of a log.
//! - *epoch*: a numbered period. It begins with the first batch after [`Heads`] are created or
//!   cleared, and ends when they are closed ([`Heads::note_all`]) or cleared. A note has the number
//!   of the epoch that wrote it.
//! - *floor*: the number of the newest expired entry of an inbox.
//! - *ref*: a 4-byte number that stands for a user, a conversation or a device in this database.
//! - *log*: the table `sequence` or `inbox`, in which each owner (a conversation or a user) has
//!   rows with ascending numbers.
//! - *mark*: a row for an entry that a device acknowledged individually.
//!
//! # Requirements on an engine
//!
//! - *Keys and bounds.* A key has 1 to 139 bytes, the bound of a walk at most 140. A bound may be
//!   empty, even on an engine that allows no empty key.
//! - *Walks are lazy.* Most walks read one row of a large range. So `walk` must not collect the
//!   rows of the range before it returns.
//! - *One writer at a time.* Nothing else changes the tables while a batch is applied.
//! - *Other writers.* [`Heads`] are a copy of rows in the tables. If other processes or handles can
//!   write to the tables, the engine must detect their writes and [clear](Heads::clear) the heads.
//!   `dm-store-redb` counts the commits in a row of the table [`schema`](Tables::schema), in the
//!   transaction of each commit. If the count in the table differs from the count in memory,
//!   another handle wrote. Notes are used without looking at the log, so no other process or
//!   handle may write to the tables of an engine that keeps notes ([`Heads::with_notes`]).
//! - *Size of the heads.* One conversation and one user together take at most [`Heads::BYTES`]. The
//!   default of `dm-store-redb` and `dm-store-fjall` is 32 MiB, for 65,536 conversations and 65,536
//!   users. Up to 1 MiB more is for ranges of removed records, which a log-structured engine would
//!   step over. A write to a conversation or user that is not in memory takes longer, because it first
//!   looks the head up in the tables.
//! - *Schema version.* The engine stores a version in a row of the table `schema`, under a key that
//!   the engine chooses, and refuses a database with a higher version ([`SCHEMA_VERSION`]). A
//!   database with a lower version is migrated by a [`Migration`]. All
//!   rows of `schema` belong to the engine, except the row `notes`, which exists only with
//!   [`Heads::with_notes`].
//! - *Errors.* A [`Failure`] ends the batch or the read. The engine's own errors are a
//!   [`Failure::Engine`].
//!
//! # In reading order
//!
//! [`tables`] documents the bytes of all rows, and `schema` their version. `rows` is the interface
//! of an engine. `codec` encodes and decodes rows. `head` has the fields of a head, `heads` keeps
//! heads in memory, `stored_heads` looks heads up in the tables, and `epoch` decides which notes are
//! valid. `stored_records` looks records up in the tables, and `empty_ranges` keeps in memory where
//! there are none. `write` applies batches, and `read` answers queries. `migration` changes the rows
//! of older versions. `failure` is the error type. [`files`] creates databases on disk and measures
//! free space.

mod codec;
mod empty_ranges;
mod epoch;
mod failure;
pub mod files;
mod head;
mod heads;
mod migration;
mod read;
mod rows;
mod schema;
mod stored_heads;
mod stored_records;
pub mod tables;
#[cfg(test)]
mod tests;
mod write;

pub use codec::{log_key, owner_and_number};
pub use failure::Failure;
pub use heads::Heads;
pub use migration::{Migration, OldTables};
pub use read::{Reader, Snapshots};
pub use rows::{Changes, Order, Rows};
pub use schema::{SCHEMA_VERSION, refuse_newer};
pub use tables::Tables;
pub use write::apply;
