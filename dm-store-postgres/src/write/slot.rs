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

use super::flight::{Flight, param};
use crate::connection::{Client, Connections, Lease};
use crate::error::Fault;

const MAKE: &str = "INSERT INTO commits DEFAULT VALUES RETURNING slot::text";

/// Fails, and its batch with it, unless the token is the one that is named.
pub(crate) const MOVE_ON: &str = "WITH moved AS (
        UPDATE commits SET token = token + 1, used_at = now()
        WHERE slot = $1::text::uuid AND token = $2 RETURNING token
    ) SELECT 1 / count(*) FROM moved";

const LOOK: &str = "UPDATE commits SET token = token + 2 WHERE slot = $1::text::uuid RETURNING token - 2";

const CLEAN: &str = "DELETE FROM commits WHERE used_at < now() - interval '7 days'";

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// A slot of this node, for one batch at a time.
#[derive(Debug)]
pub(super) struct Slot {
    name: String,
    token: i64,
}

/// The slots of this node that no batch has. There are no more than batches at once: all come back but those whose token
/// is not known.
#[derive(Debug, Default)]
pub(crate) struct Slots(Mutex<Vec<Slot>>);

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    Aborted,
    Unknown,
}

impl Slots {
    /// Takes a slot, which is made if all are taken.
    pub(super) async fn take(&self, client: Client<'_>) -> Result<Slot, Fault> {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(slot) = free {
            return Ok(slot);
        }
        let row = client.with_timeout(client.connection().query_one(MAKE, &[])).await?;
        Ok(Slot { name: row.try_get(0)?, token: 0 })
    }

    /// Puts back a slot whose token is known.
    pub(super) fn put_back(&self, slot: Slot) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
    }
}

impl Slot {
    /// Adds the last statement before `COMMIT`.
    pub(super) async fn move_on(&self, flight: &mut Flight<'_>) -> Result<(), Fault> {
        flight.add(MOVE_ON, vec![param(self.name.clone()), param(self.token)]).await
    }

    /// Its batch is committed.
    pub(super) const fn is_moved(&mut self) {
        self.token += 1;
    }

    /// Asks on new connections what became of the batch, until one answers or the time is over.
    pub(super) async fn resolve(&mut self, connections: &Connections, within: Duration) -> Fate {
        let asking = async {
            loop {
                match self.look(connections).await {
                    Ok(fate) => return fate,
                    Err(fault) => {
                        let error = dm_core::store::StoreError::from(fault);
                        tracing::debug!(error = %error, cause = ?error, "a commit's outcome is not known yet");
                    }
                }
                sleep(PAUSE).await;
            }
        };
        timeout(within, asking).await.unwrap_or(Fate::Unknown)
    }

    async fn look(&mut self, connections: &Connections) -> Result<Fate, Fault> {
        let lease = Lease::take(connections).await?;
        let client = lease.client()?;
        let row = client.with_timeout(client.connection().query_opt(LOOK, &[&self.name])).await?;
        lease.give_back();
        let Some(row) = row else { return Ok(Fate::Unknown) };
        // Earlier looks whose answers were lost have moved it by two each.
        let found: i64 = row.try_get(0)?;
        let moved = found - self.token;
        self.token = found + 2;
        Ok(if moved % 2 == 1 { Fate::Committed } else { Fate::Aborted })
    }
}

/// Removes the slots of nodes that are gone. A node that committed nothing for as long makes a new one.
pub(crate) async fn clean(client: &tokio_postgres::Client) -> Result<(), tokio_postgres::Error> {
    client.execute(CLEAN, &[]).await.map(drop)
}
