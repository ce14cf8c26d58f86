//! The [`Store`] of `dm-core` on PostgreSQL: several nodes on one database.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use dm_core::Service;
//! use dm_store_postgres::PostgresStore;
//!
//! let store = PostgresStore::open("host=/run/postgresql user=chat dbname=chat").await?;
//! let dm = Service::builder(store).start()?;
//! # Ok(())
//! # }
//! ```
//!
//! It needs PostgreSQL 13 or later, and the server that takes writes: a standby is behind, and
//! reads must not be. A connection to one is refused as
//! [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable), and of several hosts in the parameters
//! the one that takes writes is used. The store owns the schema `dm`, or another [`SchemaName`] of
//! the host's choice, and nothing outside it. Who opens it the first time needs the right to make
//! that schema, or somebody makes it beforehand. A commit is answered when the server has synced it
//! (`synchronous_commit = on`, set on each connection whatever the server's default is). A server
//! that syncs nothing (`fsync = off`), and one whose replicas it does not wait for, is warned of at
//! opening and shown by [`Store::status`], or refused with [`PostgresConfig::least_durability`].
//! The status is brought up to date while the store is open
//! ([`PostgresConfig::durability_interval`]).
//!
//! # What a batch costs
//!
//! | Round trips | |
//! |---|---|
//! | 1 | `BEGIN`, locks and reads, sent together: users, conversations, client ids, devices; sends take their numbers with the locks |
//! | 1 | the writes, one statement for each table, and `COMMIT`, sent together |
//!
//! Two, whatever the batch's size, for keys, conversations, messages, acknowledgements and registrations. One more when
//! messages are acknowledged by their ids. `ForgetDevice`, `AnnounceKeys` and `Expire` cut a batch into runs: each takes
//! one to a few for itself, and what follows it reads and writes again. A connection that meets a statement for the first
//! time has it prepared, in one more. A read is one statement. A connection that was not used for a
//! second is asked first whether it is alive.
//!
//! # Several nodes, and several lanes
//!
//! A batch locks the rows of all users it concerns, in the order of their keys, before it reads
//! anything else, and every row it changes belongs to one of them. So `READ COMMITTED` is enough:
//! what a batch read cannot change before it commits. Expiry and announcing take other users as
//! well and pass over those that are held, so that nothing waits in a circle. An engine that joins
//! in another order than PostgreSQL, which is told to loop over what is named, may find two batches
//! waiting for each other; one of them is tried again then. A reader never sees entry *n + 1*
//! before *n*, for the lock on the inbox's row is held until the commit.
//!
//! Nothing is `NOTIFY`ed: nodes learn of each other's commits by a notifier of the host's, or by looking.
//!
//! # When something fails
//!
//! - A deadlock or a serialization failure: the batch is tried again, a few times ([`PostgresConfig::attempts`]).
//! - The connection is lost before `COMMIT` is sent: [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable), nothing is
//!   committed.
//! - It is lost with `COMMIT` under way: a new connection asks what became of it, and makes sure that it stays so. The
//!   answer is what it would have been, or `Unavailable`. When nobody can be asked for
//!   [`resolve_timeout`](PostgresConfig::resolve_timeout):
//!   [`OutcomeUnknown`](dm_core::store::StoreErrorKind::OutcomeUnknown). The store goes on either way.
//! - The server falls silent, because it is frozen or cannot be reached: a connection is waited for
//!   no longer than [`wait_timeout`](PostgresConfig::wait_timeout) and
//!   [`connect_timeout`](PostgresConfig::connect_timeout) together, and the answer to what was sent
//!   in one go no longer than [`network_timeout`](PostgresConfig::network_timeout). Past that the
//!   connection is closed. Before `COMMIT` is sent that is `Unavailable`, and nothing is committed;
//!   afterwards it is resolved as above. So a send is answered within these times and
//!   `resolve_timeout`, a read without the last.
//! - A caller stops waiting: the batch goes on, on a task of its own, and happens in full or not at all. A connection whose
//!   transaction was interrupted is closed and never used again.
//!
//! # Engines that speak PostgreSQL's protocol
//!
//! Statements are plain SQL with arrays, `unnest`, `ON CONFLICT`, `UPDATE ... FROM`,
//! `DELETE ... USING`, `RETURNING`, `FOR UPDATE` and `SKIP LOCKED`, without functions of the
//! library's own, foreign keys, triggers, `LISTEN`, or advisory locks. At an opening the row of the
//! schema's version is made behind a check in a `DO` block of PL/pgSQL. Tests run on PostgreSQL
//! only. What the others' own words say about the rest:
//!
//! | | |
//! |---|---|
//! | `fillfactor` | [CockroachDB](https://github.com/cockroachdb/cockroach/pull/43307) takes it and ignores it. |
//! | `READ COMMITTED` | [CockroachDB](https://www.cockroachlabs.com/docs/v24.2/read-committed) has it unless a cluster setting is off, and runs such transactions as serializable then. Batches that fail for it are tried again, as [`attempts`](PostgresConfig::attempts) says. |
//! | `SKIP LOCKED` (expiry, announcing) | [YugabyteDB](https://github.com/yugabyte/yugabyte-db/issues/11761) has it under `READ COMMITTED` and `REPEATABLE READ`, not under `SERIALIZABLE`. |
//! | advisory locks | YugabyteDB has them [since 2025](https://github.com/yugabyte/yugabyte-db/issues/24709); the schema's version is guarded by the lock of a row, so none are needed. |
//! | `ALTER COLUMN ... SET STORAGE` | [YugabyteDB](https://github.com/yugabyte/yugabyte-db/issues/29547) refuses it, so payloads keep the default, although ciphertext never compresses: PostgreSQL gives up trying after a kilobyte. |
//!
//! # In reading order
//!
//! `migrations/` documents the tables. `config`; `connection` is what is set on each; `schema` gets
//! to the newest version; `write` is a batch: `plan` says what it is about, `load` locks and reads,
//! `reserve` takes numbers with the locks, `book` decides with one file for each kind of write,
//! `flush` writes, `slot` finds out what became of it; `read`; `codec`; `error`.
//!
//! # Limits
//!
//! - A connection pooler in between must pass startup options on, and keep prepared statements if it gives each
//!   transaction another session.
//! - Old versions of a user's key are not kept.
//! - A list of conversations looks at all of its user's.
//! - Acknowledging by message ids looks messages up by their ids alone, which an engine that shards by conversation answers
//!   from all shards.

mod codec;
mod config;
mod connection;
mod durability;
mod error;
mod schema_name;
mod ownership;
#[cfg(test)]
mod query_plans;
mod read;
mod schema;
mod store;
mod write;

pub use config::PostgresConfig;
pub use schema_name::SchemaName;
pub use store::PostgresStore;

#[cfg(doc)]
use dm_core::store::Store;
