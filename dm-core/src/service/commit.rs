//! Group commit: what waits is committed together, answered, and only then notified.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::lane::Lane;
use super::lifecycle::Stage;
use super::queue::{Entry, Queue};
use super::under_way::UnderWay;
use crate::config::Config;
use crate::error::Error;
use crate::notify::{Notification, Notifier, Reach};
use crate::store::{AckTarget, Outcome, Store, StoreErrorKind, Write};
use crate::time::Clock;

/// Batches of hints that may wait for the notifier before further ones are dropped. Hints may be lost; waiting for
/// a slow notifier would hold up commits.
const HINT_QUEUE: usize = 256;

/// The queue in front of the store.
pub(super) struct Committer {
    lanes: Vec<Queue>,
    /// The bytes of all lanes' queues together.
    queue_bytes: usize,
    status: Arc<Status>,
}

/// What the lanes tell the rest of the service.
#[derive(Default)]
pub(super) struct Status {
    /// Whether the last commit of any lane failed as a whole.
    pub(super) failing: AtomicBool,
    /// Rung when one did, so that another is tried although nobody sends.
    pub(super) failed: Notify,
    /// Whether a lane ended in a panic of the store, for good.
    pub(super) died: AtomicBool,
    /// Rung when a key was published, so that its peers are told.
    pub(super) announce: Notify,
    /// Lanes that have not ended.
    pub(super) running: watch::Sender<usize>,
    /// Batches that the store has.
    pub(super) commits: UnderWay,
}

impl Status {
    /// Why a lane takes nothing any more.
    pub(super) fn closed(&self) -> Error {
        if self.died.load(Ordering::Relaxed) {
            Error::Unavailable(StoreErrorKind::Closed.into())
        } else {
            Error::ShuttingDown
        }
    }
}

/// A write in the queue.
pub(super) struct Job {
    pub(super) write: Write,
    pub(super) answer: oneshot::Sender<Result<Outcome, Error>>,
    /// Holds the job's share of the queue's bytes until it is answered.
    pub(super) room: OwnedSemaphorePermit,
    pub(super) bytes: u32,
}

impl Committer {
    /// Starts one task per lane and one for the notifier, on the current tokio runtime.
    pub(super) fn start(
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
        notifier: Arc<dyn Notifier>,
        config: &Config,
        stage: &watch::Sender<Stage>,
    ) -> Self {
        let status = Arc::new(Status::default());
        let (hints, queued_hints) = mpsc::channel(HINT_QUEUE);
        tokio::spawn(relay(notifier, queued_hints));
        status.running.send_replace(store.lanes().get());
        let room = Arc::new(Semaphore::new(config.queue_bytes));
        let lanes = (0..store.lanes().get())
            .map(|_| {
                let (sender, jobs) = mpsc::channel(config.queue);
                let lane = Lane {
                    store: Arc::clone(store),
                    clock: Arc::clone(clock),
                    jobs,
                    waiting: VecDeque::new(),
                    committed: None,
                    hints: hints.clone(),
                    status: Arc::clone(&status),
                    stage: stage.subscribe(),
                    batch: config.batch,
                    batch_bytes: config.batch_bytes,
                };
                tokio::spawn(lane.run());
                Queue::new(sender, &room, &status)
            })
            .collect();
        Self { lanes, queue_bytes: config.queue_bytes, status }
    }

    /// Queues a write and waits for its outcome.
    ///
    /// Cancel safe: dropped before the write is queued it does not happen, dropped later it happens in full.
    pub(super) async fn commit(&self, write: Write) -> Result<Outcome, Error> {
        // A larger write takes the whole queue; for more it would wait for ever, and others behind it.
        let bytes = u32::try_from(payload_bytes(&write).min(self.queue_bytes)).unwrap_or(u32::MAX);
        let (answer, outcome) = oneshot::channel();
        let queue = self.queue(&write).ok_or(Error::ShuttingDown)?;
        queue.push(Entry { write, answer, bytes }).await?;
        // A lane answers every job it took. That it did not means that the store panicked or the runtime ended.
        outcome.await.unwrap_or_else(|_| Err(Error::OutcomeUnknown(StoreErrorKind::OutcomeUnknown.into())))
    }

    pub(super) fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// Writes queued and not yet taken into a batch.
    pub(super) fn queued(&self) -> usize {
        self.lanes.iter().map(Queue::len).sum()
    }

    /// Resolves once every lane has answered its last job and ended.
    pub(super) async fn drained(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.status.running.subscribe().wait_for(|lanes| *lanes == 0).await;
    }

    /// The queue of a write's lane: always the same for one conversation, and for one user's own
    /// writes.
    fn queue(&self, write: &Write) -> Option<&Queue> {
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
            AckTarget::UpTo(_) => 0,
            AckTarget::Entries(seqs) => 8 * seqs.len(),
            AckTarget::Messages(ids) => 16 * ids.len(),
        },
        _ => 0,
    }
}
