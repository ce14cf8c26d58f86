//! [`Attempt`], one attempt at a batch: one transaction, from `BEGIN` to `COMMIT`.
//!
//! A batch is divided into segments, which are loaded, decided and written one after another
//! ([`Segment`]). Its commit marker ([`CommitMarker`]) is a row that shows whether the commit took
//! place.

use dm_core::store::{Outcome, Write};

use crate::connection::TimedClient;
use crate::error::Fault;
use crate::write::commit_marker::CommitMarker;
use crate::write::load::{self, RowKind};
use crate::write::lock_set::LockSet;
use crate::write::participants_cache::ParticipantsCache;
use crate::write::pipeline::{CommitResult, Pipeline};
use crate::write::segment::{Segment, segments};
use crate::write::state::{BatchState, Stop};
use crate::write::{direct, write_rows};

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// One attempt at a batch, on the connection of `client`.
pub(super) struct Attempt<'a> {
    client: TimedClient<'a>,
    batch: &'a [Write],
    participants: &'a ParticipantsCache,
}

/// The error of a failed attempt.
pub(super) enum AttemptError {
    /// Nothing is committed.
    NotCommitted(Fault),
    /// The connection was lost after `COMMIT` was sent and before it was answered. The outcomes are
    /// those of the writes if the batch is committed.
    Unknown(Vec<Outcome>, Fault),
}

impl From<Fault> for AttemptError {
    fn from(fault: Fault) -> Self {
        Self::NotCommitted(fault)
    }
}

impl<'a> Attempt<'a> {
    pub(super) const fn new(
        client: TimedClient<'a>,
        batch: &'a [Write],
        participants: &'a ParticipantsCache,
    ) -> Self {
        Self { client, batch, participants }
    }

    /// Runs the transaction, which also advances the row of `marker`. Returns one outcome for each
    /// write, in order.
    pub(super) async fn run(self, marker: &CommitMarker) -> Result<Vec<Outcome>, AttemptError> {
        let client = self.client;
        let lock_set = LockSet::collect(self.batch, self.participants);
        let mut state = BatchState::default();
        load::load_inbox_numbers(client, self.batch, &mut state).await?;
        let mut outcomes = Vec::with_capacity(self.batch.len());
        let mut is_begun = false;
        let mut segments = segments(self.batch).into_iter().peekable();
        while let Some(segment) = segments.next() {
            // `kinds` has the kind of rows that each statement of the pipeline returns.
            let (mut pipeline, mut kinds) = (Pipeline::new(client), Vec::new());
            if !is_begun {
                pipeline.add_command(BEGIN);
                kinds.push(RowKind::Ignored);
                load::ensure_users(&mut pipeline, &mut kinds, &lock_set).await?;
            }
            if let Segment::InMemory(writes) = segment {
                state.start_segment();
                load::lock_and_read(&mut pipeline, &mut kinds, &lock_set, writes, &state).await?;
            } else if !is_begun {
                load::lock_users(&mut pipeline, &lock_set).await?;
                kinds.push(RowKind::Ignored);
            }
            is_begun = true;
            for (kind, rows) in kinds.iter().zip(pipeline.execute().await?) {
                state.load(kind, rows)?;
            }
            // Later batches find these conversations in the cache.
            for id in &lock_set.uncached {
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
                            Err(Stop::Retry) => return Err(Fault::Conflict.into()),
                        });
                    }
                    let mut pipeline = Pipeline::new(client);
                    write_rows::add_statements(&state, &mut pipeline).await?;
                    if segments.peek().is_none() {
                        return finish(pipeline, outcomes, marker).await;
                    }
                    pipeline.execute().await?;
                }
                Segment::Forget(write) => outcomes.push(direct::forget(client, write).await?),
                Segment::Announce(write) => outcomes.push(direct::announce(client, write).await?),
                Segment::Expire(write) => outcomes.push(direct::expire(client, write).await?),
            }
        }
        finish(Pipeline::new(client), outcomes, marker).await
    }
}

/// Sends the statements of `pipeline`, the statement that advances the marker, and `COMMIT`, all
/// together.
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
