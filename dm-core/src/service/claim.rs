//! [`ClaimedJob`], a job that this node works on, and the writes of a job's record.
//!
//! A node claims a job by moving its due time into the future, under the record's tag. So of several
//! nodes one gets it, and if that node ends, the job is due again when the claim has run out. What a
//! job does and its progress are in one write, under the tag of the claim: a node whose claim has
//! run out, or whose job was replaced, changes nothing.

use std::time::Duration;

use super::handle::Service;
use crate::error::Error;
use crate::invalid::Invalid;
use crate::job::JobState;
use crate::record::{Record, RecordKey, Tag};
use crate::store::{Change, Expect, Outcome, Post, Put, Refusal, Write};
use crate::time::Timestamp;

/// The time after which another node may take a claimed job. It doubles with each further attempt
/// without progress, so a job that always fails is rarely tried.
const CLAIM: Duration = Duration::from_secs(30);
/// Maximum time between two attempts.
const MAX_CLAIM: Duration = Duration::from_secs(60 * 60);

/// A job that this node has claimed.
pub(super) struct ClaimedJob {
    pub(super) key: RecordKey,
    pub(super) state: JobState,
    /// The tag of the record after this node's last write of it.
    tag: Tag,
}

/// What a node does next with a job that it has claimed.
pub(super) enum Next {
    /// The job goes on.
    Step,
    /// The job is done, or was replaced, or another node has it.
    End,
}

impl Service {
    /// Claims a job; `None` if another node has it, or it has changed.
    pub(super) async fn claim(&self, record: Record) -> Result<Option<ClaimedJob>, Error> {
        let Some(state) = JobState::decode(&record.value) else {
            // A newer version of the library wrote it, whose nodes run it.
            self.put_off(record).await?;
            return Err(Invalid::new("job", "of an unknown form").into());
        };
        let state = JobState { attempts: state.attempts.saturating_add(1), ..state };
        let due = self.due_after(state.attempts);
        let tag = self.new_tag();
        let put = Put { key: record.key.clone(), value: state.encode(), tag, due };
        let is_claimed = self.replace(&record.key, record.tag, Change::Put(put), Vec::new()).await?;
        Ok(is_claimed.then_some(ClaimedJob { key: record.key, state, tag }))
    }

    /// Makes a job due after the longest time. Its value stays.
    async fn put_off(&self, record: Record) -> Result<(), Error> {
        let Record { key, value, tag, .. } = record;
        let put = Put { key: key.clone(), value, tag: self.new_tag(), due: self.due_after(u8::MAX) };
        self.replace(&key, tag, Change::Put(put), Vec::new()).await.map(drop)
    }

    /// Writes the progress of a job together with what it does, and renews the claim. `progress` is
    /// `None` when the job is done.
    pub(super) async fn progress(
        &self,
        job: &mut ClaimedJob,
        progress: Option<JobState>,
        posts: Vec<Post>,
    ) -> Result<Next, Error> {
        let Some(state) = progress else {
            self.replace(&job.key, job.tag, Change::Delete(job.key.clone()), posts).await?;
            return Ok(Next::End);
        };
        let tag = self.new_tag();
        let put = Put { key: job.key.clone(), value: state.encode(), tag, due: self.due_after(1) };
        if !self.replace(&job.key, job.tag, Change::Put(put), posts).await? {
            return Ok(Next::End);
        }
        (job.state, job.tag) = (state, tag);
        Ok(Next::Step)
    }

    /// Commits a change of a job's record, with posts, if the record still has a tag. Returns
    /// whether it has.
    async fn replace(
        &self,
        key: &RecordKey,
        tag: Tag,
        change: Change,
        posts: Vec<Post>,
    ) -> Result<bool, Error> {
        let expects = vec![Expect::Tagged(key.clone(), tag)];
        let write = Write { expects, changes: vec![change], posts, ..Write::default() };
        match self.job_outcome(write).await? {
            Outcome::Done(_) => Ok(true),
            Outcome::Refused(Refusal::Unmet { .. }) => Ok(false),
            Outcome::Refused(refusal) => Err(self.refusal_error(&refusal)),
        }
    }

    /// The time at which a job is due again that was begun `attempts` times without progress.
    fn due_after(&self, attempts: u8) -> Option<Timestamp> {
        let doublings = u32::from(attempts.saturating_sub(1)).min(16);
        Some(self.now().after(CLAIM.saturating_mul(1 << doublings).min(MAX_CLAIM)))
    }
}
