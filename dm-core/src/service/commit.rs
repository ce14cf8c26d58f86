//! Group commit: what waits is committed together, answered, and only then notified.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::lifecycle::Stage;
use crate::{
    Config, Error, Notification, Notifier, Outcome, Reach, Store, StoreError, StoreErrorKind, Write,
};

/// Batches of hints that may wait for the notifier before further ones are dropped. Hints may be lost; waiting for
/// a slow notifier would hold up commits.
const HINT_QUEUE: usize = 256;

/// The queue in front of the store.
pub(super) struct Committer {
    lanes: Vec<mpsc::Sender<Job>>,
    room: Arc<Semaphore>,
    status: Arc<Status>,
}

/// What the lanes tell the rest of the service.
#[derive(Default)]
pub(super) struct Status {
    /// Whether the last commit of any lane failed as a whole.
    pub(super) failing: AtomicBool,
    /// Whether a lane ended in a panic of the store, for good.
    died: AtomicBool,
    /// Rung when a key was published, so that its peers are told.
    pub(super) announce: Notify,
    /// Lanes that have not ended.
    running: watch::Sender<usize>,
}

struct Job {
    write: Write,
    answer: oneshot::Sender<Result<Outcome, Error>>,
    /// Holds the job's share of the queue's bytes until it is answered.
    _room: OwnedSemaphorePermit,
    bytes: usize,
}

impl Committer {
    /// Starts one task per lane and one for the notifier, on the current tokio runtime.
    pub(super) fn start(
        store: &Arc<dyn Store>,
        notifier: Arc<dyn Notifier>,
        config: &Config,
        stage: &watch::Sender<Stage>,
    ) -> Self {
        let status = Arc::new(Status::default());
        let (hints, queued_hints) = mpsc::channel(HINT_QUEUE);
        tokio::spawn(relay(notifier, queued_hints));
        status.running.send_replace(store.lanes().get());
        let lanes = (0..store.lanes().get())
            .map(|_| {
                let (sender, jobs) = mpsc::channel(config.queue);
                let lane = Lane {
                    store: Arc::clone(store),
                    jobs,
                    waiting: VecDeque::new(),
                    hints: hints.clone(),
                    status: Arc::clone(&status),
                    stage: stage.subscribe(),
                    batch: config.batch,
                    batch_bytes: config.batch_bytes,
                };
                tokio::spawn(lane.run());
                sender
            })
            .collect();
        Self { lanes, room: Arc::new(Semaphore::new(config.queue_bytes)), status }
    }

    /// Queues a write and waits for its outcome.
    ///
    /// Cancel safe: dropped before the write is queued it does not happen, dropped later it happens in full.
    pub(super) async fn commit(&self, write: Write) -> Result<Outcome, Error> {
        let bytes = payload_bytes(&write);
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room =
            Arc::clone(&self.room).acquire_many_owned(permits).await.map_err(|_| Error::ShuttingDown)?;
        let (answer, outcome) = oneshot::channel();
        let lane = self.lane(&write).ok_or(Error::ShuttingDown)?;
        lane.send(Job { write, answer, _room: room, bytes }).await.map_err(|_| self.closed())?;
        // A lane answers every job it took. That it did not means that the store panicked or the runtime ended.
        outcome.await.unwrap_or_else(|_| Err(Error::OutcomeUnknown(StoreErrorKind::OutcomeUnknown.into())))
    }

    /// Why a lane takes nothing any more.
    fn closed(&self) -> Error {
        if self.status.died.load(Ordering::Relaxed) {
            Error::Unavailable(StoreErrorKind::Closed.into())
        } else {
            Error::ShuttingDown
        }
    }

    pub(super) fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// Writes queued and not yet taken into a batch.
    pub(super) fn queued(&self) -> usize {
        self.lanes.iter().map(|lane| lane.max_capacity() - lane.capacity()).sum()
    }

    /// Resolves once every lane has answered its last job and ended.
    pub(super) async fn drained(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.status.running.subscribe().wait_for(|lanes| *lanes == 0).await;
    }

    /// The lane of a write: always the same for one conversation, and for one user's own writes.
    fn lane(&self, write: &Write) -> Option<&mpsc::Sender<Job>> {
        let lane = match write {
            Write::AppendMessage(write) => sum(write.conversation.as_bytes()),
            Write::OpenConversation(write) => sum(write.participants.a().as_bytes()),
            Write::PublishKey(write) => sum(write.user.as_bytes()),
            Write::Acknowledge(write) => sum(write.who.user.as_bytes()),
            Write::RegisterDevice(write) => sum(write.who.user.as_bytes()),
            Write::ForgetDevice(write) => sum(write.who.user.as_bytes()),
            Write::AnnounceKeys(_) | Write::Expire(_) => 0,
        };
        self.lanes.get(lane % self.lanes.len().max(1))
    }
}

/// One lane: batches, one after another.
struct Lane {
    store: Arc<dyn Store>,
    jobs: mpsc::Receiver<Job>,
    /// Taken from the channel, left for the next batch.
    waiting: VecDeque<Job>,
    hints: mpsc::Sender<Vec<Notification>>,
    status: Arc<Status>,
    stage: watch::Receiver<Stage>,
    batch: usize,
    batch_bytes: usize,
}

impl Lane {
    async fn run(mut self) {
        let mut taken = Vec::new();
        loop {
            if self.waiting.is_empty() {
                let room = self.batch;
                let count = tokio::select! {
                    count = self.jobs.recv_many(&mut taken, room) => count,
                    // Refuses what comes from now on; what is queued is still received.
                    () = passed(&mut self.stage, Stage::Running), if !self.jobs.is_closed() => {
                        self.jobs.close();
                        continue;
                    }
                };
                if count == 0 {
                    return;
                }
                self.waiting.extend(taken.drain(..));
            }
            let jobs = self.next_batch();
            if *self.stage.borrow() == Stage::Stopped {
                jobs.into_iter().for_each(|job| job.answer(Err(Error::ShuttingDown)));
            } else {
                self.commit(jobs).await;
            }
        }
    }

    /// What arrived during the last commit, up to the limits. There is no lingering for more: under load the next
    /// batch fills while this one is being written, and without load waiting would only add latency.
    fn next_batch(&mut self) -> Vec<Job> {
        let mut bytes = 0_usize;
        let fits = |job: &&Job| {
            bytes = bytes.saturating_add(job.bytes);
            bytes <= self.batch_bytes
        };
        let count = self.waiting.iter().take_while(fits).count().max(1);
        self.waiting.drain(..count.min(self.waiting.len())).collect()
    }

    async fn commit(&mut self, jobs: Vec<Job>) {
        let mut writes = Vec::with_capacity(jobs.len());
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            writes.push(job.write);
            answers.push((job.answer, job._room));
        }
        metrics::histogram!("dm_batch_size").record(u32::try_from(writes.len()).unwrap_or(u32::MAX));
        let began = Instant::now();
        let result = tokio::select! {
            result = self.store.commit(writes) => result,
            () = passed(&mut self.stage, Stage::Draining) => {
                Err(StoreError::new(StoreErrorKind::OutcomeUnknown, "shut down during a commit"))
            }
        };
        metrics::histogram!("dm_commit_seconds").record(began.elapsed().as_secs_f64());
        let result = result.and_then(|outcomes| {
            if outcomes.len() == answers.len() {
                Ok(outcomes)
            } else {
                Err(StoreError::new(
                    StoreErrorKind::OutcomeUnknown,
                    "the store answered another number of writes",
                ))
            }
        });
        self.status.failing.store(result.is_err(), Ordering::Relaxed);
        match result {
            Ok(outcomes) => {
                let hints = self.answer(outcomes, answers);
                if !hints.is_empty() && self.hints.try_send(hints).is_err() {
                    metrics::counter!("dm_notify_dropped_total").increment(1);
                }
            }
            Err(error) => {
                tracing::warn!(writes = answers.len(), error = %error, cause = ?error, "commit failed");
                metrics::counter!("dm_commit_failures_total").increment(1);
                for (answer, _room) in answers {
                    let _ = answer.send(Err(error.clone().into()));
                }
            }
        }
    }

    /// Answers the callers, and returns what to notify.
    fn answer(
        &self,
        outcomes: Vec<Outcome>,
        answers: Vec<(oneshot::Sender<Result<Outcome, Error>>, OwnedSemaphorePermit)>,
    ) -> Vec<Notification> {
        let mut hints = Vec::with_capacity(2 * outcomes.len());
        for (mut outcome, (answer, _room)) in outcomes.into_iter().zip(answers) {
            hints.append(&mut outcome.take_appended());
            if matches!(outcome, Outcome::KeyPublished { changed: true, .. }) {
                self.status.announce.notify_one();
            }
            // A caller that stopped waiting changes nothing: its write stands and is notified.
            let _ = answer.send(Ok(outcome));
        }
        hints
    }
}

/// However a lane ends, it is counted.
impl Drop for Lane {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.status.died.store(true, Ordering::Relaxed);
            self.status.failing.store(true, Ordering::Relaxed);
        }
        self.status.running.send_modify(|lanes| *lanes = lanes.saturating_sub(1));
    }
}

impl Job {
    fn answer(self, result: Result<Outcome, Error>) {
        let _ = self.answer.send(result);
    }
}

/// Resolves once the service is past a stage of its life, or gone.
pub(super) async fn passed(stage: &mut watch::Receiver<Stage>, than: Stage) {
    // An error means that the service was dropped. Its queue ends by itself then, in the ordinary way.
    if stage.wait_for(|now| *now > than).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Passes hints on to the notifier, in commit order.
async fn relay(notifier: Arc<dyn Notifier>, mut queued: mpsc::Receiver<Vec<Notification>>) {
    while let Some(hints) = queued.recv().await {
        match notifier.notify(&hints).await {
            Ok(reach) => {
                let absent = reach.iter().filter(|reach| **reach == Reach::Absent).count();
                metrics::counter!("dm_notified_total").increment((reach.len() - absent) as u64);
            }
            Err(error) => {
                tracing::warn!(hints = hints.len(), error = %error, "notify failed");
                metrics::counter!("dm_notify_failures_total").increment(1);
            }
        }
    }
}

/// Spreads keys over lanes.
fn sum(key: &[u8]) -> usize {
    key.iter().fold(0, |sum, byte| usize::wrapping_mul(sum, 31).wrapping_add(usize::from(*byte)))
}

/// What a write weighs in the queue: its payload and a little for itself.
fn payload_bytes(write: &Write) -> usize {
    64 + match write {
        Write::AppendMessage(write) => write.ciphertext.len(),
        Write::Acknowledge(write) => match &write.target {
            crate::AckTarget::UpTo(_) => 0,
            crate::AckTarget::Entries(seqs) => 8 * seqs.len(),
            crate::AckTarget::Messages(ids) => 16 * ids.len(),
        },
        _ => 0,
    }
}
