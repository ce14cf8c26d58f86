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
//! ```
//! use std::collections::BTreeMap;
//! use std::ops::Bound;
//! use std::sync::{Arc, PoisonError, RwLock};
//!
//! use dm_core::store::{Embedded, EngineWriter, Outcome, Store, StoreError, Write};
//! use dm_store_kv::{Changes, Failure, Heads, Order, Reader, Rows, Snapshots, Tables, apply};
//!
//! #[derive(Clone, Default)]
//! struct Table(BTreeMap<Vec<u8>, Vec<u8>>);
//!
//! impl Rows for Table {
//!     type Key<'a> = &'a [u8];
//!     type Value<'a> = &'a [u8];
//!     type Walk<'a> = Box<dyn Iterator<Item = Result<(&'a [u8], &'a [u8]), Failure>> + 'a>;
//!
//!     fn get(&self, key: &[u8]) -> Result<Option<&[u8]>, Failure> {
//!         Ok(self.0.get(key).map(Vec::as_slice))
//!     }
//!
//!     fn walk(&self, from: &[u8], to: &[u8], order: Order) -> Result<Self::Walk<'_>, Failure> {
//!         if from > to {
//!             return Ok(Box::new(std::iter::empty()));
//!         }
//!         let rows = self.0.range::<[u8], _>((Bound::Included(from), Bound::Included(to)));
//!         let rows = rows.map(|(key, value)| Ok((key.as_slice(), value.as_slice())));
//!         let walk: Self::Walk<'_> = match order {
//!             Order::Ascending => Box::new(rows),
//!             Order::Descending => Box::new(rows.rev()),
//!         };
//!         Ok(walk)
//!     }
//! }
//!
//! impl Changes for Table {
//!     fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
//!         self.0.insert(key.to_vec(), value.to_vec());
//!         Ok(())
//!     }
//!
//!     fn remove(&mut self, key: &[u8]) -> Result<(), Failure> {
//!         self.0.remove(key);
//!         Ok(())
//!     }
//! }
//!
//! /// The committed tables. Both halves of the store have this handle.
//! #[derive(Clone)]
//! struct Database(Arc<RwLock<Arc<Tables<Table>>>>);
//!
//! impl Database {
//!     fn committed(&self) -> Arc<Tables<Table>> {
//!         Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
//!     }
//! }
//!
//! impl Snapshots for Database {
//!     type Table<'a> = Table;
//!
//!     fn read<R>(
//!         &self,
//!         read: impl FnOnce(&Tables<Self::Table<'_>>) -> Result<R, Failure>,
//!     ) -> Result<R, Failure> {
//!         read(&*self.committed())
//!     }
//! }
//!
//! struct Writer {
//!     database: Database,
//!     heads: Heads,
//! }
//!
//! impl EngineWriter for Writer {
//!     fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
//!         // A transaction of the engine. The example copies everything.
//!         let mut tables = Tables::clone(&*self.database.committed());
//!         match apply(&mut tables, &mut self.heads, batch) {
//!             Ok(outcomes) => {
//!                 // An engine on disk commits and syncs. When that fails, it clears the heads.
//!                 *self.database.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tables);
//!                 Ok(outcomes)
//!             }
//!             Err(failure) => {
//!                 self.heads.clear();
//!                 Err(failure.into())
//!             }
//!         }
//!     }
//! }
//!
//! fn open() -> Result<impl Store, StoreError> {
//!     let tables = Tables::try_new(|_name| Ok::<_, StoreError>(Table::default()))?;
//!     let database = Database(Arc::new(RwLock::new(Arc::new(tables))));
//!     let writer = Writer { database: database.clone(), heads: Heads::new(1024 * 1024) };
//!     Embedded::new(writer, Reader::new(database))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), StoreError> {
//! let store = open()?;
//! let opening = dm_conformance::build::open(1, 1, 2);
//! let outcomes = store.commit(vec![opening]).await?;
//! assert!(matches!(outcomes[0], Outcome::ConversationOpened { created: true, .. }));
//! # Ok(())
//! # }
//! ```
//!
//! `dm_conformance::suite!` then tests that the store keeps its contract.
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
