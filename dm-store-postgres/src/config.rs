//! The configuration of a PostgreSQL store.

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
    /// The minimum durability of a server. Opening fails on a server that gives less. Default
    /// [`Durability::NotSynced`]: every server is accepted.
    ///
    /// A server that can lose answered messages in a power cut or a failover causes a warning in
    /// the log, and shows in the store's status. Set [`Durability::Synced`] in production.
    pub least_durability: Durability,
    /// The age after which the durability in the store's status is read from the server again.
    /// Default 30 s.
    ///
    /// Only a request for the status starts the read. The service requests the status every 5 s. So
    /// a replica that connects while the store is open, or a changed setting, shows in the status
    /// and causes a warning in the log. An open store stays open even if the server gives less than
    /// [`least_durability`](Self::least_durability).
    pub durability_interval: Duration,
    /// The maximum number of connections for reads. Default 12.
    ///
    /// Reads and commits use separate connections, so that neither waits for the other. By default,
    /// a node has up to 12 connections for reads and 4 for commits, so a server with the usual
    /// limit of 100 connections is enough for six nodes.
    pub read_connections: NonZeroUsize,
    /// The maximum number of connections for commits. Default 4: one for each of the service's
    /// [`lanes`](Self::lanes), one for the service's lane of jobs, and one for other callers. Set at
    /// least one for each lane and one for jobs.
    pub commit_connections: NonZeroUsize,
    /// The number of lanes: the service runs one commit in each lane at a time. Default 2: one
    /// commit waits for the disk while the statements of the other run.
    ///
    /// Each further lane makes batches smaller, and makes batches wait more often for each other's
    /// locks. More lanes may be faster on a server with many cores. Measured on two cores, which
    /// the server shared with its node, with 256 concurrent sends among 2,000 users:
    ///
    /// | Lanes | Sends per second |
    /// |---|---|
    /// | 1 | 17,000 |
    /// | 2 | 28,500 |
    /// | 3 | 26,000 |
    /// | 4 | 24,000 |
    pub lanes: NonZeroUsize,
    /// The time limit for a call's wait for a free connection. After this time, the call fails as
    /// unavailable. Default 5 s.
    pub wait_timeout: Duration,
    /// The time limit for establishing a connection. Default 5 s.
    pub connect_timeout: Duration,
    /// The time limit for one statement on the server. After this time, the server ends the
    /// statement, and nothing of its batch is committed. Default 10 s: a batch of hundreds of
    /// writes takes some milliseconds, so a statement that runs for seconds shows a fault.
    pub statement_timeout: Duration,
    /// The time limit for a statement's wait for rows that another transaction has locked.
    /// Default 5 s: less than [`statement_timeout`](Self::statement_timeout), so that the error
    /// names the lock as the cause.
    pub lock_timeout: Duration,
    /// The time limit for the server's answer to one round trip: a read, or the statements of a
    /// batch that are sent together. After this time, the connection counts as lost and is closed.
    /// Default 15 s: longer than [`statement_timeout`](Self::statement_timeout), so that a slow
    /// statement ends with the server's own error.
    pub network_timeout: Duration,
    /// The time limit for finding out whether a commit took place, after its connection was lost.
    /// After this time, the outcome counts as unknown. Default 10 s: a server that restarts usually
    /// accepts connections within that time.
    pub resolve_timeout: Duration,
    /// The maximum number of attempts at a batch, the first attempt included. Default 5. A batch is
    /// tried again if the server rolls it back because of other transactions: after a deadlock, or
    /// after a serialization failure on engines that run every transaction as serializable. A batch
    /// is also tried again if another transaction added a row that it needs, or if its commit
    /// marker was deleted.
    pub attempts: NonZeroUsize,
}

/// `n`, or one if `n` is zero.
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
