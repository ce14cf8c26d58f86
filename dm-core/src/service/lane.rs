//! One lane of group commit: batches, one after another.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::Instant;

use super::stage::{Stage, wait_until_past};
use super::status::Status;
use crate::error::Error;
use crate::inbox::Notification;
use crate::store::{Outcome, Store, StoreError, StoreErrorKind, Write};
use crate::time::Clock;

/// A write in the queue.
pub(super) struct Job {
    pub(super) write: Write,
    pub(super) answer: oneshot::Sender<Result<Outcome, Error>>,
    /// Holds the job's share of the queue's bytes until it is answered.
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) bytes: u32,
}

/// One lane: batches, one after another.
pub(super) struct Lane {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) jobs: mpsc::Receiver<Job>,
    /// Taken from the channel, left for the next batch.
    pub(super) waiting: VecDeque<Job>,
    /// The last batch, until its callers are answered.
    pub(super) unanswered: Option<FinishedBatch>,
    pub(super) hints: mpsc::Sender<Vec<Notification>>,
    pub(super) status: Arc<Status>,
    pub(super) stage: watch::Receiver<Stage>,
    pub(super) batch: usize,
    pub(super) batch_bytes: usize,
}

/// A batch that the store is done with, and who waits for it.
pub(super) struct FinishedBatch {
    result: Result<Vec<Outcome>, StoreError>,
    callers: Vec<Caller>,
    /// How long the store took.
    took: Duration,
}

/// A caller that waits for its outcome, with its share of the queue's bytes.
struct Caller {
    answer: oneshot::Sender<Result<Outcome, Error>>,
    permit: OwnedSemaphorePermit,
}

impl Lane {
    /// Takes batches until the service stops, or until nobody is left who could send one.
    pub(super) async fn run(mut self) {
        while self.receive().await {
            let jobs = self.next_batch();
            if *self.stage.borrow() == Stage::Stopped {
                for job in jobs {
                    let _ = job.answer.send(Err(Error::ShuttingDown));
                }
            } else {
                self.write_batch(jobs).await;
            }
        }
    }

    /// Gets jobs for a batch, unless some were left over. Whoever the last batch leaves unanswered
    /// is answered once the next one is handed over, and at once if they are more than those who
    /// wait. Returns whether there are any; there are none when all senders are gone, or the
    /// service is shutting down.
    async fn receive(&mut self) -> bool {
        self.take_from_channel();
        if let Some(batch) = &self.unanswered
            && batch.callers.len() > self.waiting.len()
        {
            let (answered, at_most) = (batch.callers.len(), batch.took / 4);
            self.answer_finished_batch();
            self.gather(answered, at_most).await;
        }
        let mut taken = Vec::new();
        while self.waiting.is_empty() {
            let count = tokio::select! {
                count = self.jobs.recv_many(&mut taken, self.batch) => count,
                // Refuses what comes from now on; what is queued is still received.
                () = wait_until_past(&mut self.stage, Stage::Running), if !self.jobs.is_closed() => {
                    self.jobs.close();
                    continue;
                }
            };
            if count == 0 {
                return false;
            }
            self.waiting.extend(taken.drain(..));
        }
        true
    }

    /// Takes what those who were just answered send at once: until as many wait as were answered,
    /// until nothing comes any more, or for so long. They are most of the callers, or this is not
    /// called.
    ///
    /// Otherwise the few that wait go first, and the many wait for them, again and again. With 4
    /// and 16 callers SQLite does 9,400 and 20,000 messages per second instead of 6,000 and 16,500,
    /// with 256 redb 45,000 instead of 37,000. With 256 the others are the same within the noise:
    /// batches are larger, and the store stands still for a tenth of the time (by turns with
    /// `dm-bench send`). Waiting for only 64, 128 or half of them was no better.
    async fn gather(&mut self, answered: usize, at_most: Duration) {
        let began = Instant::now();
        let mut before = None;
        while before != Some(self.waiting.len())
            && self.waiting.len() < answered
            && began.elapsed() <= at_most
        {
            before = Some(self.waiting.len());
            tokio::task::yield_now().await;
            self.take_from_channel();
        }
    }

    /// Takes what is in the channel, up to a batch.
    fn take_from_channel(&mut self) {
        while self.waiting.len() < self.batch
            && let Ok(job) = self.jobs.try_recv()
        {
            self.waiting.push_back(job);
        }
    }

    /// What waits, up to the limits.
    fn next_batch(&mut self) -> Vec<Job> {
        let mut bytes = 0_usize;
        let fits = |job: &&Job| {
            bytes = bytes.saturating_add(usize::try_from(job.bytes).unwrap_or(usize::MAX));
            bytes <= self.batch_bytes
        };
        let count = self.waiting.iter().take_while(fits).count().max(1);
        self.waiting.drain(..count.min(self.waiting.len())).collect()
    }

    async fn write_batch(&mut self, jobs: Vec<Job>) {
        let mut writes = Vec::with_capacity(jobs.len());
        let mut callers = Vec::with_capacity(jobs.len());
        for job in jobs {
            writes.push(job.write);
            callers.push(Caller { answer: job.answer, permit: job.permit });
        }
        metrics::histogram!("dm_batch_size").record(u32::try_from(writes.len()).unwrap_or(u32::MAX));
        let began = Instant::now();
        let in_flight = self.status.commits_in_flight.begin(self.clock.now());
        let store = Arc::clone(&self.store);
        let mut commit = store.commit(writes);
        // Handed to the store before the callers of the last batch are answered, so that it does
        // not stand still meanwhile: with 256 callers that was a tenth of the time.
        let immediate = tokio::select! {
            biased;
            result = &mut commit => Some(result),
            () = std::future::ready(()) => None,
        };
        self.answer_finished_batch();
        let result = match immediate {
            Some(result) => result,
            None => tokio::select! {
                result = commit => result,
                () = wait_until_past(&mut self.stage, Stage::Draining) => {
                    Err(StoreError::new(StoreErrorKind::OutcomeUnknown, "shut down during a commit"))
                }
            },
        };
        drop(in_flight);
        let took = began.elapsed();
        metrics::histogram!("dm_commit_seconds").record(took.as_secs_f64());
        let result = result.and_then(|outcomes| {
            if outcomes.len() == callers.len() {
                Ok(outcomes)
            } else {
                Err(StoreError::new(
                    StoreErrorKind::OutcomeUnknown,
                    "the store answered another number of writes",
                ))
            }
        });
        self.status.failing.store(result.is_err(), Ordering::Relaxed);
        if result.is_err() {
            self.status.commit_failed.notify_one();
        }
        self.unanswered = Some(FinishedBatch { result, callers, took });
    }

    /// Answers the callers of the last batch, if they are not answered yet, and passes its hints
    /// on.
    fn answer_finished_batch(&mut self) {
        let Some(FinishedBatch { result, callers, .. }) = self.unanswered.take() else { return };
        match result {
            Ok(outcomes) => {
                let hints = self.answer(outcomes, callers);
                if !hints.is_empty() && self.hints.try_send(hints).is_err() {
                    metrics::counter!("dm_notify_dropped_total").increment(1);
                }
            }
            Err(error) => {
                tracing::warn!(writes = callers.len(), error = %error, cause = ?error, "commit failed");
                metrics::counter!("dm_commit_failures_total").increment(1);
                for Caller { answer, permit: _permit } in callers {
                    let _ = answer.send(Err(error.clone().into()));
                }
            }
        }
    }

    /// Answers callers, and returns what to notify.
    fn answer(&self, outcomes: Vec<Outcome>, callers: Vec<Caller>) -> Vec<Notification> {
        let mut hints = Vec::with_capacity(2 * outcomes.len());
        for (mut outcome, Caller { answer, permit: _permit }) in outcomes.into_iter().zip(callers) {
            hints.append(&mut outcome.take_appended());
            if matches!(outcome, Outcome::KeyPublished { changed: true, .. }) {
                self.status.key_published.notify_one();
            }
            // A caller that stopped waiting changes nothing: its write stands and is notified.
            let _ = answer.send(Ok(outcome));
        }
        hints
    }
}

/// However a lane ends, it is counted, and what it committed is answered.
impl Drop for Lane {
    fn drop(&mut self) {
        self.answer_finished_batch();
        if std::thread::panicking() {
            self.status.lane_panicked.store(true, Ordering::Relaxed);
            self.status.failing.store(true, Ordering::Relaxed);
        }
        self.status.running_lanes.send_modify(|lanes| *lanes = lanes.saturating_sub(1));
    }
}
