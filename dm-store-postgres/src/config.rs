//! How a store uses its database.

use std::num::NonZeroUsize;
use std::time::Duration;

use dm_core::store::Durability;

use crate::schema_name::SchemaName;

/// Choices for [`PostgresStore::open_with`](crate::PostgresStore::open_with). Start from the default and change fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PostgresConfig {
    /// The schema that the store's tables are in. Default `dm`. Stores in different schemas share a
    /// database.
    pub schema: SchemaName,
    /// The least that a commit must survive. A server that gives less is refused at opening.
    /// Default
    /// [`Durability::NotSynced`]: any server is taken, and one that loses answered messages by a power cut or a failover
    /// is warned of and stays visible in the store's status. In production ask for
    /// [`Durability::Synced`].
    pub least_durability: Durability,
    /// How old what the store's status says of durability may become before the server is asked
    /// again. Default 30 s. Replicas that come later and settings that are changed show within this
    /// time after the status is asked for, which the service does every 5 s; they are warned of,
    /// and [`least_durability`](Self::least_durability) refuses nothing that is open.
    pub durability_interval: Duration,
    /// Connections for reads, at most. Default 12. They are apart from those for commits, so that
    /// neither waits for the other: with both defaults a server with the usual limit of 100
    /// connections takes six nodes.
    pub read_connections: NonZeroUsize,
    /// Connections for commits, at most. Default 4: one for each of [`lanes`](Self::lanes), which
    /// is the least that is of use, and as many for callers beside the service.
    pub commit_connections: NonZeroUsize,
    /// Commits that may run at once. Default 2: one waits for the disk while the other's statements run. Each further
    /// one makes batches smaller and meetings in the same inbox more frequent; where the server has many cores to
    /// itself, it may pay. On two cores that the server shared with its node, 256 sends at a time among 2,000 people:
    /// 17,000 a second with one, 28,500 with two, 26,000 with three, 24,000 with four.
    pub lanes: NonZeroUsize,
    /// How long a call waits for a free connection before failing as unavailable. Default 5 s.
    pub wait_timeout: Duration,
    /// How long connecting may take. Default 5 s.
    pub connect_timeout: Duration,
    /// How long one statement may run on the server; then nothing of its batch is committed. Default 10 s: a batch of
    /// hundreds takes some milliseconds, so something is wrong.
    pub statement_timeout: Duration,
    /// How long a statement may wait for rows that another commit holds. Default 5 s: less than
    /// [`statement_timeout`](Self::statement_timeout), so that the error says what it was.
    pub lock_timeout: Duration,
    /// How long the server may take to answer what was sent to it in one go: a read, or the
    /// statements of a round trip of a batch. Past that the connection counts as lost and is
    /// closed. Default 15 s: more than a statement may run.
    pub network_timeout: Duration,
    /// How long to find out what became of a commit whose connection was lost, before its outcome counts as unknown.
    /// Default 10 s: a server that restarts is back by then.
    pub resolve_timeout: Duration,
    /// How often a batch is tried that the server gave up because of others (a deadlock, or a serialization failure on
    /// engines that have no other isolation). Default 5 times.
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
