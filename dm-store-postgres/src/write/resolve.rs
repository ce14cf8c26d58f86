//! Finding out what became of a commit whose connection was lost.

use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::time::{Instant, sleep};
use tokio_postgres::Row;

use crate::connection::Lease;
use crate::error::Fault;

/// Gives a transaction's number and the server's history that it belongs to. A standby that takes over begins a new
/// history, in which the same number may stand for another transaction.
pub(super) const TICKET: &str =
    "SELECT pg_current_xact_id()::text, left(pg_walfile_name(pg_current_wal_lsn()), 8)";

const FATE: &str = "SELECT pg_xact_status($1::text::xid8), left(pg_walfile_name(pg_current_wal_lsn()), 8)";

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// What a transaction is known by.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    transaction: String,
    history: String,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    Aborted,
    Unknown,
}

impl Ticket {
    pub(super) fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self { transaction: row.try_get(0)?, history: row.try_get(1)? })
    }
}

/// Asks on a new connection until the transaction has ended, or the time is over.
pub(super) async fn resolve(pool: &Pool, ticket: Option<&Ticket>, within: Duration) -> Fate {
    let Some(ticket) = ticket else { return Fate::Unknown };
    let end = Instant::now() + within;
    loop {
        match look(pool, ticket).await {
            Ok(Some(fate)) => return fate,
            // Its session has not noticed yet, or the server is not back yet.
            Ok(None) => {}
            Err(fault) => tracing::debug!(fault = ?kind(fault), "a commit's outcome is not known yet"),
        }
        if Instant::now() >= end {
            return Fate::Unknown;
        }
        sleep(PAUSE).await;
    }
}

fn kind(fault: Fault) -> dm_core::StoreErrorKind {
    dm_core::StoreError::from(fault).kind()
}

async fn look(pool: &Pool, ticket: &Ticket) -> Result<Option<Fate>, Fault> {
    let lease = Lease::take(pool).await?;
    let row = lease.client()?.query_one(FATE, &[&ticket.transaction]).await?;
    let (status, history): (Option<&str>, &str) = (row.try_get(0)?, row.try_get(1)?);
    let fate = match status {
        _ if history != ticket.history => Some(Fate::Unknown),
        Some("committed") => Some(Fate::Committed),
        Some("aborted") => Some(Fate::Aborted),
        Some("in progress") => None,
        _ => Some(Fate::Unknown),
    };
    lease.give_back();
    Ok(fate)
}

/// Whether the engine can tell. PostgreSQL can from version 13 on.
pub(crate) async fn is_possible(client: &tokio_postgres::Client) -> bool {
    client.query_one(TICKET, &[]).await.is_ok()
}
