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
//! The [terms](dm_core#terms) of `dm-core` define words such as inbox, head, floor, batch and lane.
//!
//! # Requirements
//!
//! - PostgreSQL 13 or later. The server must accept writes. A standby is refused as
//!   [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable), because its data lags behind the
//!   primary's: a read could miss a committed message. If the parameters name several hosts, the
//!   store uses the host that accepts writes.
//! - A schema of its own: `dm`, or another [`SchemaName`] that the host chooses. The store changes
//!   nothing outside its schema. If the schema does not exist, the database user who opens the
//!   store for the first time needs the right to create it.
//! - Durability: a commit is answered when the server has synced it. The store sets
//!   `synchronous_commit = on` on each connection, whatever the server's default is. A server that
//!   syncs nothing (`fsync = off`), or that does not wait for its replicas, causes a warning in the
//!   log at opening and shows in [`Store::status`]. With [`PostgresConfig::least_durability`],
//!   opening fails instead. While the store is open, the status is updated
//!   ([`PostgresConfig::durability_interval`]).
//!
//! # The costs of a batch
//!
//! | Round trips | Statements that are sent together |
//! |---|---|
//! | 1 | `BEGIN`; the locks of users; the reads of users, conversations, client ids, devices and records. For a send or a post, the locking statement also reserves the new numbers |
//! | 1 | the writes of the changed rows, one statement for all rows of a kind; `COMMIT` |
//!
//! So a batch takes two round trips, whatever its size. One more round trip is needed by:
//! - a batch that acknowledges messages by their ids;
//! - a batch with records of a conversation to which this node sent no message lately;
//! - a write that requires a fence and finds another one.
//!
//! A send that requires a fence and passes gates takes no further statement and writes no further
//! row: the rows of users and of conversations have the tags of their fences, their gates and their
//! counts. Expiry takes a few round trips of its own.
//!
//! A batch is divided into segments. A segment is a part of a batch that is loaded, decided and
//! written at once, and most batches are one segment. `Expire` is a segment of its own. All other
//! writes can share a segment, except that a new segment begins before an acknowledgement for a
//! device that the current segment registers, and before a write that counts, takes or clears
//! records of an owner and a kind of which the current segment clears some. Each further segment
//! takes two more round trips.
//!
//! A connection prepares a statement at its first use, in one more round trip. A read is one
//! statement. A connection that was idle for a second is checked first, in one more round trip.
//!
//! # Several nodes and several lanes
//!
//! A lane runs one commit at a time. [`PostgresConfig::lanes`] is the number of lanes of a node.
//!
//! A batch locks the rows of all users that it concerns, in the order of their user ids and all in
//! the same mode, before it reads anything that another transaction can change. Every row that the
//! batch changes belongs to one of these users: a conversation, its records and the gate of a pair
//! belong to both users of the pair. The store's own records belong to no user. They are guarded by
//! rows of `record_guards`, one for each kind, which the batch locks in order after all users. So
//! `READ COMMITTED` is enough: until the batch commits, no other transaction can change the rows that
//! the batch has read. Expiry locks further users, but skips users who are locked, so that no
//! deadlock arises.
//!
//! For a send or a post, the statement that locks is an `UPDATE` that joins the table of users with a sorted
//! array of user ids. It has no `ORDER BY`: it locks in the order of the array only if the engine
//! runs the join as a loop over the array. The store therefore turns hash joins and merge joins off
//! (`enable_hashjoin`, `enable_mergejoin`) on each connection, and PostgreSQL then uses this loop.
//! On an engine that ignores these settings and locks in another order, two batches may deadlock.
//! One of the two batches is then tried again.
//!
//! A reader never sees entry *n + 1* before entry *n*, because a batch that appends to an inbox
//! holds the lock on the user's row until the commit.
//!
//! The store sends no `NOTIFY`. Nodes learn of each other's commits from the host's
//! [`Notifier`](dm_core::notify::Notifier), or by polling.
//!
//! # Failures
//!
//! - A deadlock, a serialization failure, or a row that another transaction added after the rows to
//!   lock were chosen: the batch is tried again. [`PostgresConfig::attempts`] is the maximum number
//!   of attempts.
//! - The connection is lost before `COMMIT` is sent:
//!   [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable), and nothing is committed.
//! - The connection is lost after `COMMIT` was sent and before it was answered: the store asks on a
//!   new connection whether the batch is committed. If it is not, the store makes sure that it
//!   cannot be committed later. The caller gets the outcomes, or `Unavailable`. If no server
//!   answers within [`resolve_timeout`](PostgresConfig::resolve_timeout), the caller gets
//!   [`OutcomeUnknown`](dm_core::store::StoreErrorKind::OutcomeUnknown). The store keeps working in
//!   each case.
//! - The server does not answer, because it is frozen or cannot be reached: a call waits for a
//!   connection no longer than [`wait_timeout`](PostgresConfig::wait_timeout) and
//!   [`connect_timeout`](PostgresConfig::connect_timeout) together, and for the answer to a round
//!   trip no longer than [`network_timeout`](PostgresConfig::network_timeout). Then the connection
//!   is closed. Before `COMMIT` is sent, the error is `Unavailable`, and nothing is committed.
//!   After `COMMIT` is sent, the store asks as above whether the batch is committed. So a read ends
//!   within the sum of these times, and a send within this sum and `resolve_timeout`.
//! - The caller drops the future: the batch continues in a task of its own, and is committed in
//!   full or not at all. A connection whose transaction was interrupted is closed, and no other
//!   batch uses it.
//!
//! # Engines that speak PostgreSQL's protocol
//!
//! Statements are plain SQL with arrays, `unnest`, `ON CONFLICT`, `UPDATE ... FROM`,
//! `DELETE ... USING`, `LATERAL`, `RETURNING`, `FOR NO KEY UPDATE` and `SKIP LOCKED`, without functions of the
//! library's own, foreign keys, triggers, `LISTEN`, or advisory locks. At opening, a `DO` block of
//! PL/pgSQL checks the search path before the row of the schema's version is created. Tests run on
//! PostgreSQL only. Other engines, according to their documentation, differ in these features:
//!
//! | Feature | Other engines |
//! |---|---|
//! | `fillfactor` | [CockroachDB](https://github.com/cockroachdb/cockroach/pull/43307) accepts and ignores it. |
//! | `READ COMMITTED` | [CockroachDB](https://www.cockroachlabs.com/docs/v24.2/read-committed) has it unless a cluster setting is off. If the setting is off, it runs such transactions as serializable, and batches that fail with a serialization error are tried again: see [`attempts`](PostgresConfig::attempts). |
//! | `FOR NO KEY UPDATE` | [CockroachDB](https://www.cockroachlabs.com/docs/stable/select-for-update) accepts it and locks as for `FOR UPDATE`. |
//! | `SKIP LOCKED` (expiry) | [YugabyteDB](https://github.com/yugabyte/yugabyte-db/issues/11761) has it under `READ COMMITTED` and `REPEATABLE READ`, not under `SERIALIZABLE`. |
//! | advisory locks | YugabyteDB has them [since 2025](https://github.com/yugabyte/yugabyte-db/issues/24709). The store needs none: row locks guard the schema's version and the store's own records. |
//! | `ALTER COLUMN ... SET STORAGE` | [YugabyteDB](https://github.com/yugabyte/yugabyte-db/issues/29547) refuses it. So payloads keep the default storage, although ciphertext never compresses: PostgreSQL gives up trying after a kilobyte. |
//!
//! # Modules, in reading order
//!
//! - `migrations/` documents the tables.
//! - `config` is the configuration. `connection` has the pools and the settings of each
//!   database session.
//! - `schema` runs the migrations. Before that, `ownership` checks that the tables in the schema
//!   are the store's. `schema_name` is the name of the schema.
//! - `durability` reads whether the server syncs commits and waits for its replicas.
//! - `write` commits batches. In it, `lock_set` collects the users to lock, `segment` divides a
//!   batch, `load` locks and reads rows into `state`, `decide` applies writes to them, with one file
//!   for each kind of action, `write_rows` writes the changed rows, `commit_marker` finds out whether
//!   a commit took place, and `direct` has expiry, which runs statements of its own.
//! - `read` has the queries.
//! - `store` is [`PostgresStore`], which opens these parts and calls them.
//! - `codec` converts values to columns and back, `error` converts errors.
//!
//! # Limits
//!
//! - A connection pooler between the store and the server must pass startup options on. If the
//!   pooler may run each transaction in another database session, it must support prepared
//!   statements.
//! - A batch with records of the store itself waits for every other batch with such records of the
//!   same kind.
//! - A page of a user's list of conversations reads all conversations of the user.
//! - An acknowledgement by message ids looks messages up by their ids alone. An engine that shards
//!   by conversation has to ask all shards.

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
