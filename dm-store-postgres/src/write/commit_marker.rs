//! Finding out what became of a commit whose connection was lost.
//!
//! A slot is a row with a token, which one batch at a time moves on by one, as its last statement before `COMMIT`. Who lost
//! the answer moves it on by two, on a new connection. That waits for the row's lock, and so for the end of the batch if it
//! is under way still; it finds the token moved by the batch or not, which tells what became of it; and if the
//! batch's statements should reach the server only afterwards, they no longer find the token they name and fail.
//!
//! PostgreSQL's `pg_xact_status` does not do: after a crash the server gives the number of a transaction of which nothing
//! had reached the disk to another one, and then answers for that one.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::pipeline::{Pipeline, param};
use crate::connection::{Client, Connections, Lease};
use crate::error::Fault;

const INSERT_MARKER: &str = "INSERT INTO commits DEFAULT VALUES RETURNING slot::text";

/// Fails, and its batch with it, unless the token is the one that is named.
pub(crate) const ADVANCE: &str = "WITH moved AS (
        UPDATE commits SET token = token + 1, used_at = now()
        WHERE slot = $1::text::uuid AND token = $2 RETURNING token
    ) SELECT 1 / count(*) FROM moved";

const RESOLVE: &str = "UPDATE commits SET token = token + 2 WHERE slot = $1::text::uuid RETURNING token - 2";

const DELETE_STALE: &str = "DELETE FROM commits WHERE used_at < now() - interval '7 days'";

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// A slot of this node, for one batch at a time.
#[derive(Debug)]
pub(super) struct CommitMarker {
    id: String,
    token: i64,
}

/// The slots of this node that no batch has. There are no more than batches at once: all come back but those whose token
/// is not known.
#[derive(Debug, Default)]
pub(crate) struct CommitMarkers(Mutex<Vec<CommitMarker>>);

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolution {
    Committed,
    RolledBack,
    Unknown,
}

impl CommitMarkers {
    /// Takes a slot, which is made if all are taken.
    pub(super) async fn acquire(&self, client: Client<'_>) -> Result<CommitMarker, Fault> {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(marker) = free {
            return Ok(marker);
        }
        let row = client.with_timeout(client.connection().query_one(INSERT_MARKER, &[])).await?;
        Ok(CommitMarker { id: row.try_get(0)?, token: 0 })
    }

    /// Puts back a slot whose token is known.
    pub(super) fn release(&self, marker: CommitMarker) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(marker);
    }
}

impl CommitMarker {
    /// Adds the last statement before `COMMIT`.
    pub(super) async fn advance(&self, pipeline: &mut Pipeline<'_>) -> Result<(), Fault> {
        pipeline.add(ADVANCE, vec![param(self.id.clone()), param(self.token)]).await
    }

    /// Its batch is committed.
    pub(super) const fn mark_committed(&mut self) {
        self.token += 1;
    }

    /// Asks on new connections what became of the batch, until one answers or the time is over.
    pub(super) async fn resolve(&mut self, connections: &Connections, within: Duration) -> Resolution {
        let resolution = async {
            loop {
                match self.resolve_once(connections).await {
                    Ok(resolution) => return resolution,
                    Err(fault) => {
                        let error = dm_core::store::StoreError::from(fault);
                        tracing::debug!(error = %error, cause = ?error, "a commit's outcome is not known yet");
                    }
                }
                sleep(PAUSE).await;
            }
        };
        timeout(within, resolution).await.unwrap_or(Resolution::Unknown)
    }

    async fn resolve_once(&mut self, connections: &Connections) -> Result<Resolution, Fault> {
        let lease = Lease::take(connections).await?;
        let client = lease.client()?;
        let row = client.with_timeout(client.connection().query_opt(RESOLVE, &[&self.id])).await?;
        lease.give_back();
        let Some(row) = row else { return Ok(Resolution::Unknown) };
        // Earlier looks whose answers were lost have moved it by two each.
        let found: i64 = row.try_get(0)?;
        let moved = found - self.token;
        self.token = found + 2;
        Ok(if moved % 2 == 1 { Resolution::Committed } else { Resolution::RolledBack })
    }
}

/// Removes the slots of nodes that are gone. A node that committed nothing for as long makes a new one.
pub(crate) async fn remove_stale(client: &tokio_postgres::Client) -> Result<(), tokio_postgres::Error> {
    client.execute(DELETE_STALE, &[]).await.map(drop)
}
