//! The short way to a store of `dm-core` on an engine that is an ordered map of bytes to bytes,
//! such as LMDB or RocksDB: this crate has the tables, the bytes of their rows, the reads and the
//! writes. `dm-store-redb` and `dm-store-fjall` are built on it.
//!
//! An engine implements:
//!
//! - [`Rows`] for a table in one committed state, with `get` and `walk`;
//! - [`Changes`] for a table as a batch changes it, with `insert` and `remove`;
//! - [`Snapshots`], which opens the newest committed state of all [`Tables`]. A [`Reader`] over it
//!   is the reading half of the store;
//! - [`EngineWriter`](dm_core::store::EngineWriter), the writing half. It opens the tables for a
//!   batch, calls [`apply`], and makes the changes durable in one transaction.
//!
//! [`Embedded`](dm_core::store::Embedded) makes a store of the two halves. In the following example
//! the engine is the map of the standard library:
//!
#![doc = concat!("```\n", include_str!("../examples/ordered_map.rs"), "```")]
//!
//! `dm_conformance::suite!` tests that a store keeps its contract. The example passes it, in
//! `tests/conformance.rs`.
//!
//! # Requirements on an engine
//!
//! - *Keys and bounds.* A key has 1 to 32 bytes, the bound of a walk at most 33. A bound may be
//!   empty, also on an engine that allows no empty key.
//! - *Walks are lazy.* Most of them end after one row of very many, so that a walk must not collect
//!   its rows first.
//! - *One writer at a time.* Nothing else changes the tables while a batch is applied.
//! - *Other writers.* [`Heads`] are a copy of what the tables say. An engine that other processes
//!   or handles write to as well has to notice that, and [clears](Heads::clear) them.
//!   `dm-store-redb` counts the commits in a row of the table [`schema`](Tables::schema), in the
//!   same transaction: a count that is not its own means that another handle wrote. An engine that
//!   keeps notes ([`Heads::noting`]) must be the only writer.
//! - *Size of the heads.* A conversation and a user take [`Heads::BYTES`] together. 20 MiB, the
//!   default of both stores, are 65,536 of each. Others are looked up in the tables when they are
//!   written to, and such a send takes longer.
//! - *Schema version.* The engine stores [`SCHEMA_VERSION`] in a row of the table `schema` that it
//!   chooses, and refuses a database with a higher one. The table is the engine's own but for the
//!   row `notes`, which is used only with [`Heads::noting`].
//! - *Errors.* A [`Failure`] ends the batch or the read. The engine's own errors are a
//!   [`Failure::Engine`].
//!
//! # In reading order
//!
//! [`tables`] documents the bytes of all rows, `schema` their version. `rows` is the interface of
//! an engine, `codec` encodes and decodes rows. `heads` keeps the newest numbers in memory,
//! `newest` looks them up, `session` decides which notes of them are valid. `write` and `read` do
//! the work. `failure` is the error type. [`files`] creates databases on disk and measures free
//! space.

mod codec;
mod failure;
pub mod files;
mod heads;
mod newest;
mod read;
mod rows;
mod schema;
mod session;
pub mod tables;
#[cfg(test)]
mod tests;
mod write;

pub use codec::{log_key, owner_and_number};
pub use failure::Failure;
pub use heads::Heads;
pub use read::{Reader, Snapshots};
pub use rows::{Changes, Order, Rows};
pub use schema::{SCHEMA_VERSION, refuse_newer};
pub use tables::Tables;
pub use write::apply;
