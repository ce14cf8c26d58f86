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
//! # Requirements
//!
//! - PostgreSQL 13 or later. The server must accept writes. A standby is refused as
//!   [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable), because it lags behind and reads
//!   must not. If the parameters name several hosts, the one that accepts writes is used.
//! - A schema of its own: `dm`, or another [`SchemaName`] of the host's choice. The store changes
//!   nothing outside it. The database user who opens the store for the first time needs the right
//!   to create the schema, or somebody creates it beforehand.
//! - Durability: a commit is answered when the server has synced it (`synchronous_commit = on`, set
//!   on each connection whatever the server's default is). A server that syncs nothing (`fsync =
//!   off`), or that does not wait for its replicas, causes a warning in the log at opening and
//!   shows in [`Store::status`]; [`PostgresConfig::least_durability`] refuses it instead. The
//!   status is brought up to date while the store is open
//!   ([`PostgresConfig::durability_interval`]).
//!
//! # The costs of a batch
//!
//! | Round trips | |
//! |---|---|
//! | 1 | `BEGIN`, locks and reads, sent together: users, conversations, client ids, devices; sends reserve their numbers with the locks |
//! | 1 | the writes, one statement for each table, and `COMMIT`, sent together |
//!
//! So a batch of keys, conversations, messages, acknowledgements and registrations takes two round
//! trips, whatever its size. It takes one more if messages are acknowledged by their ids.
//!
//! `ForgetDevice`, `AnnounceKeys`, `Expire`, and an acknowledgement of a device that the same batch
//! registers, cut a batch into segments. Each of the first three takes one to a few round trips for
//! itself. Other writes after a cut take two round trips of their own.
//!
//! A connection prepares a statement at its first use, in one more round trip. A read is one
//! statement. A connection that was idle for a second is checked with a round trip first.
//!
//! # Several nodes and several lanes
//!
//! A batch locks the rows of all users that it concerns, in the order of their keys, before it
//! reads anything else, and every row that it changes belongs to one of them. So `READ COMMITTED`
//! is enough: no other transaction can change the rows that a batch has read before it commits.
//! Expiry and announcements lock further users, but skip those that are locked, so that no deadlock
//! arises. PostgreSQL is set to lock users in a loop over their keys. On an engine that joins in
//! another order two batches may deadlock; one of them is tried again then. A reader never sees
//! entry *n + 1* before entry *n*, because the lock on the inbox's row is held until the commit.
//!
//! The store sends no `NOTIFY`: nodes learn of each other's commits by a notifier of the host's, or
//! by polling.
//!
//! # Failures
//!
//! - A deadlock or a serialization failure: the batch is tried again, up to
//!   [`PostgresConfig::attempts`] times in all.
//! - The connection is lost before `COMMIT` is sent:
//!   [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable), and nothing is committed.
//! - The connection is lost with `COMMIT` under way: a new connection finds out whether the batch
//!   is committed, and makes sure that the answer stays true. The caller gets the outcomes, or
//!   `Unavailable`. If no server answers within
//!   [`resolve_timeout`](PostgresConfig::resolve_timeout), the caller gets
//!   [`OutcomeUnknown`](dm_core::store::StoreErrorKind::OutcomeUnknown). The store works on either
//!   way.
//! - The server does not answer, because it is frozen or cannot be reached: a call waits for a
//!   connection no longer than [`wait_timeout`](PostgresConfig::wait_timeout) and
//!   [`connect_timeout`](PostgresConfig::connect_timeout) together, and for the answer to a round
//!   trip no longer than [`network_timeout`](PostgresConfig::network_timeout). Then the connection
//!   is closed. Before `COMMIT` is sent, the error is `Unavailable`, and nothing is committed;
//!   afterwards the commit is resolved as above. So a send is answered within these times and
//!   `resolve_timeout`, and a read within these times.
//! - A caller drops the future: the batch runs on in a task of its own, and is committed in full or
//!   not at all. A connection whose transaction was interrupted is closed and never used again.
//!
//! # Engines that speak PostgreSQL's protocol
//!
//! Statements are plain SQL with arrays, `unnest`, `ON CONFLICT`, `UPDATE ... FROM`,
//! `DELETE ... USING`, `RETURNING`, `FOR UPDATE` and `SKIP LOCKED`, without functions of the
//! library's own, foreign keys, triggers, `LISTEN`, or advisory locks. At opening, the row of the
//! schema's version is created behind a check in a `DO` block of PL/pgSQL. Tests run on PostgreSQL
//! only. About the rest, the documentation of other engines says:
//!
//! | | |
//! |---|---|
//! | `fillfactor` | [CockroachDB](https://github.com/cockroachdb/cockroach/pull/43307) accepts and ignores it. |
//! | `READ COMMITTED` | [CockroachDB](https://www.cockroachlabs.com/docs/v24.2/read-committed) has it unless a cluster setting is off. It then runs such transactions as serializable; batches that fail for it are tried again, up to [`attempts`](PostgresConfig::attempts) times. |
//! | `SKIP LOCKED` (expiry, announcements) | [YugabyteDB](https://github.com/yugabyte/yugabyte-db/issues/11761) has it under `READ COMMITTED` and `REPEATABLE READ`, not under `SERIALIZABLE`. |
//! | advisory locks | YugabyteDB has them [since 2025](https://github.com/yugabyte/yugabyte-db/issues/24709). The store needs none: a row lock guards the schema's version. |
//! | `ALTER COLUMN ... SET STORAGE` | [YugabyteDB](https://github.com/yugabyte/yugabyte-db/issues/29547) refuses it. So payloads keep the default storage, although ciphertext never compresses: PostgreSQL gives up trying after a kilobyte. |
//!
//! # Modules, in reading order
//!
//! `migrations/` documents the tables. `config`; `connection` has the settings of each session;
//! `schema` migrates; `write` is a batch: `lock_set` and `segment` say what it concerns, `load`
//! locks and reads, `decide` has one file for each kind of write, `flush` writes, `commit_marker`
//! finds out whether a commit took place, `direct` has the writes that work by statements of their
//! own; `read`; `codec`; `error`.
//!
//! # Limits
//!
//! - A connection pooler in between must pass startup options on. It must keep prepared statements
//!   if it gives each transaction another session.
//! - Old versions of a user's key are not kept.
//! - A list of conversations reads all of its user's conversations.
//! - Acknowledging by message ids looks messages up by their ids alone. An engine that shards by
//!   conversation answers this from all shards.

mod codec;
mod config;
mod connection;
mod durability;
mod error;
mod ownership;
#[cfg(test)]
mod query_plans;
mod read;
mod schema;
mod schema_name;
mod store;
mod write;

pub use config::PostgresConfig;
pub use schema_name::SchemaName;
pub use store::PostgresStore;

#[cfg(doc)]
use dm_core::store::Store;
