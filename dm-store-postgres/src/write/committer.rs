//! Committing a batch: attempts, and what follows when one fails.

use dm_core::store::{Outcome, StoreError, StoreErrorKind, Write};

use crate::config::PostgresConfig;
use crate::connection::{Connections, Lease};
use crate::error::Fault;
use crate::write::attempt::{Attempt, AttemptError};
use crate::write::commit_marker::{CommitMarker, CommitMarkers, Resolution};
use crate::write::participants_cache::ParticipantsCache;

/// Commits batches on connections of its own.
pub(crate) struct Committer {
    pub(crate) connections: Connections,
    pub(crate) config: PostgresConfig,
    pub(crate) markers: CommitMarkers,
    pub(crate) participants: ParticipantsCache,
}

/// A failed attempt, after its connection was closed.
enum Failed {
    /// Nothing is committed.
    NotCommitted(Fault),
    /// The connection was lost with `COMMIT` under way.
    Unknown(Box<Unresolved>),
}

/// A batch that may or may not be committed.
struct Unresolved {
    /// The outcomes of the writes, in case it is committed.
    outcomes: Vec<Outcome>,
    marker: CommitMarker,
    fault: Fault,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::NotCommitted(fault)
    }
}

impl Committer {
    /// Commits a batch and returns one outcome for each write.
    ///
    /// Not cancel safe: the future must run to its end.
    pub(crate) async fn write_batch(&self, batch: &[Write]) -> Result<Vec<Outcome>, StoreError> {
        let mut attempts = 1;
        let Unresolved { outcomes, mut marker, fault } = loop {
            match self.attempt(batch).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(Failed::NotCommitted(fault))
                    if fault.is_transient() && attempts < self.config.attempts.get() =>
                {
                    attempts += 1;
                    tracing::debug!(attempts, "a batch is tried again");
                }
                Err(Failed::NotCommitted(fault)) => return Err(fault.into()),
                Err(Failed::Unknown(unresolved)) => break *unresolved,
            }
        };
        let resolution = marker.resolve(&self.connections, self.config.resolve_timeout).await;
        if resolution != Resolution::Unknown {
            self.markers.release(marker);
        }
        match resolution {
            Resolution::Committed => Ok(outcomes),
            Resolution::RolledBack => {
                Err(StoreError::new(StoreErrorKind::Unavailable, StoreError::from(fault)))
            }
            Resolution::Unknown => {
                Err(StoreError::new(StoreErrorKind::OutcomeUnknown, StoreError::from(fault)))
            }
        }
    }

    async fn attempt(&self, batch: &[Write]) -> Result<Vec<Outcome>, Failed> {
        // A return before `give_back` closes the connection, and the server rolls back.
        let lease = Lease::take(&self.connections).await?;
        let client = lease.client()?;
        let mut marker = self.markers.acquire(client).await?;
        let outcomes = match Attempt::new(client, batch, &self.participants).run(&marker).await {
            Ok(outcomes) => outcomes,
            Err(AttemptError::NotCommitted(fault)) => {
                if !fault.has_lost_marker() {
                    self.markers.release(marker);
                }
                return Err(fault.into());
            }
            Err(AttemptError::Unknown(outcomes, fault)) => {
                return Err(Failed::Unknown(Box::new(Unresolved { outcomes, marker, fault })));
            }
        };
        marker.mark_committed();
        self.markers.release(marker);
        lease.give_back();
        Ok(outcomes)
    }
}
