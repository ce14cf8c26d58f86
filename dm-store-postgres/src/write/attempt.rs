//! [`Attempt`], one attempt at a batch: one transaction, from `BEGIN` to `COMMIT`.
//!
//! A batch is divided into segments, which are loaded, decided and written one after another
//! ([`Segment`]). Its commit marker ([`CommitMarker`]) is a row that shows whether the commit took
//! place.

use dm_core::store::{Done, Expire, Outcome, Write};

use crate::connection::TimedClient;
use crate::error::Fault;
use crate::write::commit_marker::CommitMarker;
use crate::write::load::{self, RowKind};
use crate::write::lock_set::LockSet;
use crate::write::participants_cache::ParticipantsCache;
use crate::write::pipeline::{CommitResult, Pipeline};
use crate::write::segment::{Segment, segments};
use crate::write::state::{BatchState, Retry};
use crate::write::{direct, write_rows};

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// One attempt at a batch, on the connection of `client`.
pub(super) struct Attempt<'a> {
    client: TimedClient<'a>,
    batch: &'a [Write],
    participants: &'a ParticipantsCache,
    lock_set: LockSet,
    state: BatchState,
    /// Whether `BEGIN` was sent.
    is_begun: bool,
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
    pub(super) fn new(
        client: TimedClient<'a>,
        batch: &'a [Write],
        participants: &'a ParticipantsCache,
    ) -> Self {
        let lock_set = LockSet::collect(batch, participants);
        Self { client, batch, participants, lock_set, state: BatchState::default(), is_begun: false }
    }

    /// Runs the transaction, which also advances the row of `marker`. Returns one outcome for each
    /// write, in order.
    pub(super) async fn run(mut self, marker: &CommitMarker) -> Result<Vec<Outcome>, AttemptError> {
        let (client, state) = (self.client, &mut self.state);
        load::read_before_locks(client, self.batch, &mut self.lock_set, self.participants, state).await?;
        let mut outcomes = Vec::with_capacity(self.batch.len());
        let mut segments = segments(self.batch).into_iter().peekable();
        while let Some(segment) = segments.next() {
            match segment {
                Segment::InMemory(writes) => {
                    self.load(writes).await?;
                    for write in writes {
                        outcomes.push(self.apply(write)?);
                    }
                    let mut pipeline = Pipeline::new(client);
                    write_rows::add_statements(&self.state, &mut pipeline).await?;
                    if segments.peek().is_none() {
                        return finish(pipeline, outcomes, marker).await;
                    }
                    pipeline.execute().await?;
                }
                Segment::Expire(expire, write) => outcomes.push(self.expire(expire, write).await?),
            }
        }
        finish(Pipeline::new(client), outcomes, marker).await
    }

    /// Loads the rows of a segment. The first segment begins the transaction and locks the users of
    /// the whole batch.
    async fn load(&mut self, writes: &[Write]) -> Result<(), Fault> {
        self.state.start_segment();
        let mut pipeline = Pipeline::new(self.client);
        // The kind of rows that each statement of the pipeline returns.
        let mut kinds = Vec::new();
        self.begin(&mut pipeline, &mut kinds).await?;
        load::lock_and_read(&mut pipeline, &mut kinds, &self.lock_set, writes, &self.state).await?;
        self.execute(pipeline, kinds).await?;
        // Later batches find these conversations in the cache.
        for id in &self.lock_set.uncached {
            if let Some(head) = self.state.conversations.get(id) {
                self.participants.insert(*id, head.conversation.participants);
            }
        }
        let (mut pipeline, mut kinds) = (Pipeline::new(self.client), Vec::new());
        load::read_unmet_fences(&mut pipeline, &mut kinds, writes, &self.state).await?;
        if !kinds.is_empty() {
            self.execute(pipeline, kinds).await?;
        }
        Ok(())
    }

    /// Adds the statements that begin the transaction, if it has not begun.
    async fn begin(&mut self, pipeline: &mut Pipeline<'_>, kinds: &mut Vec<RowKind>) -> Result<(), Fault> {
        if !self.is_begun {
            self.is_begun = true;
            pipeline.add_command(BEGIN);
            kinds.push(RowKind::Ignored);
            load::ensure_users(pipeline, kinds, &self.lock_set).await?;
        }
        Ok(())
    }

    /// Runs the statements of a pipeline, and adds the rows that they return to the state.
    async fn execute(&mut self, pipeline: Pipeline<'_>, kinds: Vec<RowKind>) -> Result<(), Fault> {
        for (kind, rows) in kinds.into_iter().zip(pipeline.execute().await?) {
            self.state.load(kind, rows)?;
        }
        Ok(())
    }

    /// Applies a write to the state, which includes the changes of all writes before it.
    fn apply(&mut self, write: &Write) -> Result<Outcome, Fault> {
        write.clone().apply(&mut self.state).map_err(|Retry| Fault::Conflict)
    }

    /// Runs an expiry. `write` is its write, as a slice of one item.
    ///
    /// The statements of an expiry change rows that the conditions and effects of the write may
    /// have loaded. So a write with conditions or effects is applied twice: before the expiry to
    /// check it, and afterwards to make its changes, on rows that are loaded again.
    async fn expire(&mut self, expire: &Expire, write: &[Write]) -> Result<Outcome, Fault> {
        let extra =
            write.iter().find(|w| !(w.expects.is_empty() && w.changes.is_empty() && w.posts.is_empty()));
        if let Some(checked) = extra {
            self.load(write).await?;
            if let refused @ Outcome::Refused(_) = self.apply(checked)? {
                return Ok(refused);
            }
            self.state.start_segment();
        } else if !self.is_begun {
            let (mut pipeline, mut kinds) = (Pipeline::new(self.client), Vec::new());
            self.begin(&mut pipeline, &mut kinds).await?;
            load::lock_only(&mut pipeline, &mut kinds, &self.lock_set).await?;
            self.execute(pipeline, kinds).await?;
        }
        let answer = direct::expire(self.client, expire).await?;
        let Some(write_again) = extra else {
            return Ok(Outcome::Done(Done { answer, ..Done::default() }));
        };
        self.load(write).await?;
        self.state.expired = Some(answer);
        let outcome = self.apply(write_again)?;
        let mut pipeline = Pipeline::new(self.client);
        write_rows::add_statements(&self.state, &mut pipeline).await?;
        pipeline.execute().await?;
        Ok(outcome)
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
