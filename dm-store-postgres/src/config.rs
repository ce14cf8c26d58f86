//! The configuration of a store.

use std::num::NonZeroUsize;
use std::time::Duration;

use dm_core::store::Durability;

use crate::schema_name::SchemaName;

/// The configuration for [`PostgresStore::open_with`](crate::PostgresStore::open_with). Start from
/// the default and change fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PostgresConfig {
    /// The schema of the store's tables. Default `dm`. Stores in different schemas can share a
    /// database.
    pub schema: SchemaName,
    /// The least durability that a server must give. Opening fails on a server that gives less.
    /// Default [`Durability::NotSynced`]: every server is accepted. A server that can lose answered
    /// messages by a power cut or a failover causes a warning in the log, and shows in the store's
    /// status. Ask for [`Durability::Synced`] in production.
    pub least_durability: Durability,
    /// The age at which the durability in the store's status is read from the server again.
    /// Default 30 s. Only a request for the status starts the read; the service asks every 5 s. A
    /// replica that comes later or a changed setting so shows in the status, and in a warning in
    /// the log. [`least_durability`](Self::least_durability) closes no store that is open.
    pub durability_interval: Duration,
    /// The maximum number of connections for reads. Default 12. Reads and commits have connections
    /// of their own, so that neither waits for the other. With both defaults, a server with the
    /// usual limit of 100 connections is enough for six nodes.
    pub read_connections: NonZeroUsize,
    /// The maximum number of connections for commits. Default 4: one for each of
    /// [`lanes`](Self::lanes), the least that makes sense, and as many for callers beside the
    /// service.
    pub commit_connections: NonZeroUsize,
    /// The number of commits that the service runs at once. Default 2: one waits for the disk while
    /// the statements of the other run. Each further lane makes batches smaller, and lock conflicts
    /// on one inbox more frequent. It may pay where the server has many cores to itself. Measured
    /// on two cores that the server shared with its node, with 256 concurrent sends among 2,000
    /// users: 17,000 sends a second with one lane, 28,500 with two, 26,000 with three, 24,000 with
    /// four.
    pub lanes: NonZeroUsize,
    /// The time that a call waits for a free connection before it fails as unavailable.
    /// Default 5 s.
    pub wait_timeout: Duration,
    /// The time limit for establishing a connection. Default 5 s.
    pub connect_timeout: Duration,
    /// The time limit for one statement on the server. Past it, nothing of the statement's batch is
    /// committed. Default 10 s: a batch of hundreds of writes takes some milliseconds, so a
    /// statement that runs for longer shows a fault.
    pub statement_timeout: Duration,
    /// The time limit for a statement's wait for rows that another transaction has locked.
    /// Default 5 s: less than [`statement_timeout`](Self::statement_timeout), so that the error
    /// names the lock as the cause.
    pub lock_timeout: Duration,
    /// The time limit for the server's answer to one round trip: a read, or the statements of a
    /// batch that are sent together. Past it, the connection counts as lost and is closed.
    /// Default 15 s: longer than a statement may run.
    pub network_timeout: Duration,
    /// The time limit for finding out whether a commit whose connection was lost took place. Past
    /// it, the outcome counts as unknown. Default 10 s: a server that restarts is back by then.
    pub resolve_timeout: Duration,
    /// The maximum number of attempts at a batch that the server rolls back because of other
    /// transactions: a deadlock, or a serialization failure on engines that run every transaction
    /// as serializable. Default 5.
    pub attempts: NonZeroUsize,
}

const fn at_least_one(n: usize) -> NonZeroUsize {
    match NonZeroUsize::new(n) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    }
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            schema: SchemaName::default(),
            least_durability: Durability::NotSynced,
            durability_interval: Duration::from_secs(30),
            read_connections: at_least_one(12),
            commit_connections: at_least_one(4),
            lanes: at_least_one(2),
            wait_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(5),
            network_timeout: Duration::from_secs(15),
            resolve_timeout: Duration::from_secs(10),
            attempts: at_least_one(5),
        }
    }
}
