//! Writing: one batch, one transaction.
//!
//! A batch takes the locks of all users it names and of the users of all conversations it names, in
//! the order of their keys, before it reads anything else. Each row that it changes belongs to one
//! of them: an inbox and its devices to their user, a conversation and its messages to both of its
//! users. So two batches that meet in anything meet in a user, where one of them waits for the
//! other's commit, and each statement behind the locks sees all that was committed before they were
//! granted. That is why `READ COMMITTED` is enough, and why there is no cycle of waiting. A run
//! that sends moves the heads on while it locks: see `reserve.rs`.

mod acknowledge;
mod announce;
mod append;
mod state;
mod conversations;
mod devices;
mod expire;
mod pipeline;
mod flush;
mod keys;
mod participants_cache;
mod load;
mod lock_set;
mod reserve;
mod commit_marker;

use dm_core::store::{Outcome, StoreError, StoreErrorKind, Write};

use crate::config::PostgresConfig;
use crate::connection::{Client, Connections, Lease};
use crate::error::Fault;
use state::{BatchState, Stop};
use pipeline::{Pipeline, CommitResult, param};
use load::RowKind;
use lock_set::{LockSet, Segment, segments};
use commit_marker::{CommitMarker, CommitMarkers, Resolution};

pub(crate) use participants_cache::ParticipantsCache;
#[cfg(test)]
pub(crate) use reserve::RESERVE_ENTRIES;
pub(crate) use commit_marker::remove_stale;

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// What commits batches.
pub(crate) struct Committer {
    pub(crate) connections: Connections,
    pub(crate) config: PostgresConfig,
    pub(crate) markers: CommitMarkers,
    pub(crate) participants: ParticipantsCache,
}

/// Why a try at a batch failed.
enum Failed {
    /// Nothing is committed.
    NotCommitted(Fault),
    /// The connection was lost with `COMMIT` under way.
    Unknown(Box<Unresolved>),
}

struct Unresolved {
    outcomes: Vec<Outcome>,
    marker: CommitMarker,
    fault: Fault,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::NotCommitted(fault)
    }
}

/// The same, while the slot is with the try.
enum AttemptError {
    NotCommitted(Fault),
    Unknown(Vec<Outcome>, Fault),
}

impl From<Fault> for AttemptError {
    fn from(fault: Fault) -> Self {
        Self::NotCommitted(fault)
    }
}

impl Committer {
    /// Commits a batch. Its future must be run to its end.
    pub(crate) async fn write_batch(&self, batch: &[Write]) -> Result<Vec<Outcome>, StoreError> {
        let mut tries = 1;
        loop {
            let lost = match self.attempt(batch).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(Failed::NotCommitted(fault)) if fault.is_transient() && tries < self.config.attempts.get() => {
                    tries += 1;
                    tracing::debug!(tries, "a batch is tried again");
                    continue;
                }
                Err(Failed::NotCommitted(fault)) => return Err(fault.into()),
                Err(Failed::Unknown(lost)) => *lost,
            };
            let Unresolved { outcomes, mut marker, fault } = lost;
            let resolution = marker.resolve(&self.connections, self.config.resolve_timeout).await;
            if resolution != Resolution::Unknown {
                self.markers.release(marker);
            }
            return match resolution {
                Resolution::Committed => Ok(outcomes),
                Resolution::RolledBack => Err(StoreError::new(StoreErrorKind::Unavailable, StoreError::from(fault))),
                Resolution::Unknown => {
                    Err(StoreError::new(StoreErrorKind::OutcomeUnknown, StoreError::from(fault)))
                }
            };
        }
    }

    async fn attempt(&self, batch: &[Write]) -> Result<Vec<Outcome>, Failed> {
        // Whatever ends this early closes the connection, and the server rolls back.
        let lease = Lease::take(&self.connections).await?;
        let client = lease.client()?;
        let mut marker = self.markers.acquire(client).await?;
        let done = Attempt { client, batch, participants: &self.participants }.run(&marker).await;
        let outcomes = match done {
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

/// One try at a batch.
struct Attempt<'a> {
    client: Client<'a>,
    batch: &'a [Write],
    participants: &'a ParticipantsCache,
}

impl Attempt<'_> {
    async fn run(self, marker: &CommitMarker) -> Result<Vec<Outcome>, AttemptError> {
        let client = self.client;
        let lock_set = LockSet::of(self.batch, self.participants);
        let mut state = BatchState::default();
        load::inbox_numbers(client, &lock_set.messages, &mut state).await?;
        let mut outcomes = Vec::with_capacity(self.batch.len());
        let mut is_begun = false;
        let mut segments = segments(self.batch).into_iter().peekable();
        while let Some(segment) = segments.next() {
            let (mut pipeline, mut kinds) = (Pipeline::new(client), Vec::new());
            if !is_begun {
                self.begin(&mut pipeline, &mut kinds, &lock_set).await?;
            }
            if let Segment::InMemory(writes) = segment {
                state.start_segment();
                load::lock_and_read(&mut pipeline, &mut kinds, &lock_set, writes, &state).await?;
            } else if !is_begun {
                load::lock(&mut pipeline, &lock_set).await?;
                kinds.push(RowKind::Other);
            }
            is_begun = true;
            for (kind, rows) in kinds.iter().zip(pipeline.execute().await?) {
                state.load(kind, rows)?;
            }
            for id in &lock_set.unresolved {
                if let Some(head) = state.conversations.get(id) {
                    self.participants.insert(*id, head.conversation.participants);
                }
            }
            match segment {
                Segment::InMemory(writes) => {
                    for write in writes {
                        outcomes.push(match state.apply(write) {
                            Ok(outcome) => outcome,
                            Err(Stop::Refused(refusal)) => Outcome::Refused(refusal),
                            Err(Stop::Again) => return Err(Fault::Conflict.into()),
                        });
                    }
                    let mut pipeline = Pipeline::new(client);
                    state.flush(&mut pipeline).await?;
                    if segments.peek().is_none() {
                        return finish(pipeline, outcomes, marker).await;
                    }
                    pipeline.execute().await?;
                }
                Segment::Forget(write) => outcomes.push(devices::forget(client, write).await?),
                Segment::Announce(write) => outcomes.push(announce::announce(client, write).await?),
                Segment::Expire(write) => outcomes.push(expire::expire(client, write).await?),
            }
        }
        finish(Pipeline::new(client), outcomes, marker).await
    }

    async fn begin<'f>(
        &self,
        pipeline: &mut Pipeline<'f>,
        kinds: &mut Vec<RowKind>,
        lock_set: &LockSet,
    ) -> Result<(), Fault> {
        pipeline.add_command(BEGIN);
        kinds.push(RowKind::Other);
        if !lock_set.ensured.is_empty() {
            let made: Vec<Vec<u8>> = lock_set.ensured.iter().map(|user| user.as_bytes().to_vec()).collect();
            pipeline.add(load::ENSURE_USERS, vec![param(made)]).await?;
            kinds.push(RowKind::Other);
        }
        Ok(())
    }
}

/// Sends the last statements with `COMMIT` behind them.
async fn finish(
    mut pipeline: Pipeline<'_>,
    outcomes: Vec<Outcome>,
    marker: &CommitMarker,
) -> Result<Vec<Outcome>, AttemptError> {
    marker.advance(&mut pipeline).await?;
    match pipeline.execute_and_commit().await {
        CommitResult::Committed => Ok(outcomes),
        CommitResult::NotCommitted(fault) => Err(fault.into()),
        CommitResult::Unknown(fault) => Err(AttemptError::Unknown(outcomes, fault)),
    }
}

/// The statements of sends and acknowledgements, and those of expiry and announcing that walk a table.
#[cfg(test)]
pub(crate) fn hot_statements() -> Vec<String> {
    let fixed = [
        load::LOCK_USERS,
        load::CONVERSATIONS,
        RESERVE_ENTRIES,
        reserve::RESERVE_MESSAGES,
        load::DEVICES,
        load::UNACKNOWLEDGED,
        load::INBOX_NUMBERS,
        flush::UPDATE_USERS,
        flush::UPDATE_KEYS,
        flush::UPDATE_CONVERSATIONS,
        flush::UPDATE_DEVICES,
        flush::DELETE_ACKED,
        expire::TAKE_OLDEST,
        expire::OLDEST_ENTRIES,
        expire::DELETE_ENTRIES,
        announce::TAKE_PEERS,
        commit_marker::ADVANCE,
    ];
    fixed.into_iter().map(str::to_owned).chain([load::sent_statement()]).collect()
}
