//! [`CommitMarker`], which shows whether a commit took place when the answer to `COMMIT` was lost.
//!
//! A commit marker is a row of `commits` with a token, which is a number. A node uses each of its
//! markers for one batch at a time:
//!
//! 1. The last statement of the batch before `COMMIT` adds one to the token ([`ADVANCE`]).
//! 2. If the node loses the answer to `COMMIT`, it adds two to the token on a new connection
//!    ([`RESOLVE`]). If the batch is still running, this statement waits for the lock on the row,
//!    and so for the end of the batch.
//! 3. The token that `RESOLVE` finds shows whether the batch is committed.
//! 4. If the batch's `ADVANCE` reaches the server only after `RESOLVE`, the row has another token
//!    than `ADVANCE` names. So `ADVANCE` fails, and the batch is rolled back.
//!
//! PostgreSQL's `pg_xact_status` is no substitute. After a crash the server may reuse the id of a
//! transaction of which nothing had reached the disk. `pg_xact_status` then answers for the later
//! transaction with this id.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::connection::{Connections, TimedClient, TransactionLease};
use crate::error::Fault;
use crate::write::pipeline::{Pipeline, param};

/// Inserts a marker and returns its id. Its token is 0.
const INSERT_MARKER: &str = "INSERT INTO commits DEFAULT VALUES RETURNING slot::text";

/// Adds one to the token. If the row has another token than the named one, or does not exist, the
/// statement fails with a division by zero, and the batch is rolled back.
pub(crate) const ADVANCE: &str = "WITH moved AS (
        UPDATE commits SET token = token + 1, used_at = now()
        WHERE slot = $1::text::uuid AND token = $2 RETURNING token
    ) SELECT 1 / count(*) FROM moved";

/// Adds two to the token. Returns the token before the addition; no row if the marker does not
/// exist.
const RESOLVE: &str = "UPDATE commits SET token = token + 2 WHERE slot = $1::text::uuid RETURNING token - 2";

const DELETE_STALE: &str = "DELETE FROM commits WHERE used_at < now() - interval '7 days'";

/// The pause between two attempts to resolve a commit, so that a server that refuses connections at
/// once is not asked in a busy loop.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// A marker of this node. One batch uses it at a time.
#[derive(Debug)]
pub(super) struct CommitMarker {
    /// The row's `slot`, a UUID.
    id: String,
    /// The token that the row has, unless the answer to a statement that changed the row was lost.
    token: i64,
}

/// The markers of this node that no batch uses.
///
/// Each marker is released after its batch, unless its token is unknown or its row was deleted. So
/// a node usually has one marker for each batch that it runs at the same time. No code panics while
/// it holds the lock, so a poisoned lock has a complete list.
#[derive(Debug, Default)]
pub(crate) struct CommitMarkers(Mutex<Vec<CommitMarker>>);

/// The result of asking the server about a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolution {
    Committed,
    RolledBack,
    /// The server did not answer, or the marker's row was deleted.
    Unknown,
}

impl CommitMarkers {
    /// Takes a free marker, or inserts a new one.
    pub(super) async fn acquire(&self, client: TimedClient<'_>) -> Result<CommitMarker, Fault> {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(marker) = free {
            return Ok(marker);
        }
        let row = client.with_timeout(client.connection().query_one(INSERT_MARKER, &[])).await?;
        Ok(CommitMarker { id: row.try_get(0)?, token: 0 })
    }

    /// Makes a marker available to later batches. Its token must be known.
    pub(super) fn release(&self, marker: CommitMarker) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(marker);
    }
}

impl CommitMarker {
    /// Adds the statement that must directly precede `COMMIT`.
    pub(super) async fn advance(&self, pipeline: &mut Pipeline<'_>) -> Result<(), Fault> {
        pipeline.add(ADVANCE, vec![param(self.id.clone()), param(self.token)]).await
    }

    /// Records that the marker's batch is committed: [`ADVANCE`] has added one to the token.
    pub(super) const fn mark_committed(&mut self) {
        self.token += 1;
    }

    /// Asks on new connections whether the batch is committed, until the server answers. Returns
    /// [`Resolution::Unknown`] if the server does not answer within `time_limit`, or if the
    /// marker's row was deleted.
    pub(super) async fn resolve(&mut self, connections: &Connections, time_limit: Duration) -> Resolution {
        let resolution = async {
            loop {
                match self.resolve_once(connections).await {
                    Ok(resolution) => return resolution,
                    Err(fault) => {
                        let error = dm_core::store::StoreError::from(fault);
                        tracing::debug!(error = %error, cause = ?error, "a commit's outcome is not known yet");
                    }
                }
                sleep(RETRY_PAUSE).await;
            }
        };
        timeout(time_limit, resolution).await.unwrap_or(Resolution::Unknown)
    }

    /// Asks once whether the batch is committed.
    async fn resolve_once(&mut self, connections: &Connections) -> Result<Resolution, Fault> {
        let mut lease = TransactionLease::default();
        let client = lease.connect(connections).await?;
        let row = client.with_timeout(client.connection().query_opt(RESOLVE, &[&self.id])).await?;
        lease.release();
        let Some(row) = row else { return Ok(Resolution::Unknown) };
        // `ADVANCE` adds one. `RESOLVE` adds two, and an earlier `RESOLVE` may have run without an
        // answer. So an odd difference means that `ADVANCE` was committed.
        let found: i64 = row.try_get(0)?;
        let difference = found - self.token;
        // The row's token after this `RESOLVE`.
        self.token = found + 2;
        Ok(if difference % 2 == 1 { Resolution::Committed } else { Resolution::RolledBack })
    }
}

/// Deletes the markers that no commit used for seven days. Most of them belong to nodes that have
/// stopped. A running node whose marker was deleted inserts a new one.
pub(crate) async fn delete_stale_markers(
    client: &tokio_postgres::Client,
) -> Result<(), tokio_postgres::Error> {
    client.execute(DELETE_STALE, &[]).await.map(drop)
}
