//! [`Committer`], which commits a batch. It repeats attempts that fail because of other
//! transactions. If the answer to `COMMIT` is lost, it finds out by the batch's commit marker
//! ([`CommitMarker`]) whether the commit took place.

use dm_core::store::{Outcome, StoreError, StoreErrorKind, Write};

use crate::config::PostgresConfig;
use crate::connection::{Connections, TransactionLease};
use crate::error::Fault;
use crate::write::attempt::{Attempt, AttemptError};
use crate::write::commit_marker::{CommitMarker, CommitMarkers, Resolution};
use crate::write::participants_cache::ParticipantsCache;

/// Commits batches, on connections that reads do not use.
pub(crate) struct Committer {
    pub(crate) connections: Connections,
    pub(crate) config: PostgresConfig,
    pub(crate) markers: CommitMarkers,
    pub(crate) participants: ParticipantsCache,
}

/// The error of a failed attempt. The connection of the attempt is closed.
enum FailedAttempt {
    /// Nothing is committed.
    NotCommitted(Fault),
    /// The connection was lost after `COMMIT` was sent and before it was answered.
    Unknown(Box<Unresolved>),
}

/// A batch that may or may not be committed.
struct Unresolved {
    /// The outcomes of the writes if the batch is committed.
    outcomes: Vec<Outcome>,
    marker: CommitMarker,
    /// The error of the connection that was lost.
    fault: Fault,
}

impl From<Fault> for FailedAttempt {
    fn from(fault: Fault) -> Self {
        Self::NotCommitted(fault)
    }
}

impl Committer {
    /// Commits a batch and returns one outcome for each write, in order.
    ///
    /// Not cancel safe: the future must be polled to completion.
    pub(crate) async fn write_batch(&self, batch: &[Write]) -> Result<Vec<Outcome>, StoreError> {
        let mut attempts = 1;
        let Unresolved { outcomes, mut marker, fault } = loop {
            match self.attempt(batch).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(FailedAttempt::NotCommitted(fault))
                    if fault.is_transient() && attempts < self.config.attempts.get() =>
                {
                    attempts += 1;
                    tracing::debug!(attempts, "a batch is tried again");
                }
                Err(FailedAttempt::NotCommitted(fault)) => return Err(fault.into()),
                Err(FailedAttempt::Unknown(unresolved)) => break *unresolved,
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

    /// Runs one attempt, with a connection and a marker of its own.
    async fn attempt(&self, batch: &[Write]) -> Result<Vec<Outcome>, FailedAttempt> {
        // A return before `lease.release` closes the connection, and the server rolls the
        // transaction back.
        let mut lease = TransactionLease::default();
        let client = lease.connect(&self.connections).await?;
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
                return Err(FailedAttempt::Unknown(Box::new(Unresolved { outcomes, marker, fault })));
            }
        };
        marker.mark_committed();
        self.markers.release(marker);
        lease.release();
        Ok(outcomes)
    }
}
