//! The queue in front of the store: what waits in it is committed together, answered, and only then
//! notified.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::job_sender::{UnqueuedJob, JobSender};
use super::lane::Lane;
use super::relay;
use super::stage::Lifecycle;
use super::status::Status;
use crate::config::Config;
use crate::error::Error;
use crate::notifier::Notifier;
use crate::store::{AckTarget, Outcome, Store, StoreErrorKind, Write};
use crate::time::Clock;

/// The queue in front of the store.
pub(super) struct Queue {
    lanes: Vec<JobSender>,
    /// The bytes of all lanes' queues together.
    queue_bytes: usize,
    status: Arc<Status>,
}

impl Queue {
    /// Starts one task per lane and one for the notifier, on the current tokio runtime.
    pub(super) fn start(
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
        notifier: Arc<dyn Notifier>,
        config: &Config,
        lifecycle: &Lifecycle,
    ) -> Self {
        let status = Arc::new(Status::default());
        let hints = relay::start(notifier);
        status.running_lanes.send_replace(store.lanes().get());
        let free_bytes = Arc::new(Semaphore::new(config.queue_bytes));
        let lanes = (0..store.lanes().get())
            .map(|_| {
                let (sender, jobs) = mpsc::channel(config.queue);
                let lane = Lane {
                    store: Arc::clone(store),
                    clock: Arc::clone(clock),
                    jobs,
                    waiting: VecDeque::new(),
                    unanswered: None,
                    hints: hints.clone(),
                    status: Arc::clone(&status),
                    stage: lifecycle.subscribe(),
                    batch: config.batch,
                    batch_bytes: config.batch_bytes,
                };
                tokio::spawn(lane.run());
                JobSender::new(sender, &free_bytes, &status)
            })
            .collect();
        Self { lanes, queue_bytes: config.queue_bytes, status }
    }

    /// Queues a write and waits for its outcome.
    ///
    /// Cancel safe: dropped before the write is queued it does not happen, dropped later it happens
    /// in full.
    pub(super) async fn push(&self, write: Write) -> Result<Outcome, Error> {
        // A larger write takes the whole queue; for more it would wait for ever, and others behind
        // it.
        let bytes = u32::try_from(counted_bytes(&write).min(self.queue_bytes)).unwrap_or(u32::MAX);
        let (answer, outcome) = oneshot::channel();
        let lane = self.lane(&write).ok_or(Error::ShuttingDown)?;
        lane.send(UnqueuedJob { write, answer, bytes }).await?;
        // A lane answers every job it took. That it did not means that the store panicked or the
        // runtime ended.
        outcome.await.unwrap_or_else(|_| Err(Error::OutcomeUnknown(StoreErrorKind::OutcomeUnknown.into())))
    }

    pub(super) fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// Writes queued and not yet taken into a batch.
    pub(super) fn queued(&self) -> usize {
        self.lanes.iter().map(JobSender::len).hash()
    }

    /// Resolves once every lane has answered its last job and ended.
    pub(super) async fn drained(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.status.running_lanes.subscribe().wait_for(|lanes| *lanes == 0).await;
    }

    /// The lane of a write: always the same for the messages of one conversation, for the opening
    /// of one pair's, and for what one user writes otherwise.
    fn lane(&self, write: &Write) -> Option<&JobSender> {
        let lane = match write {
            Write::AppendMessage(write) => hash(write.conversation.as_bytes()),
            Write::OpenConversation(write) => hash(write.participants.a().as_bytes()),
            Write::PublishKey(write) => hash(write.user.as_bytes()),
            Write::Acknowledge(write) => hash(write.who.user.as_bytes()),
            Write::RegisterDevice(write) => hash(write.who.user.as_bytes()),
            Write::ForgetDevice(write) => hash(write.who.user.as_bytes()),
            Write::AnnounceKeys(_) | Write::Expire(_) => 0,
        };
        self.lanes.get(lane % self.lanes.len().max(1))
    }
}

/// Spreads keys over lanes.
fn hash(key: &[u8]) -> usize {
    key.iter().fold(0, |hash, byte| usize::wrapping_mul(hash, 31).wrapping_add(usize::from(*byte)))
}

/// What a write weighs in the queue: its payload and a little for itself.
fn counted_bytes(write: &Write) -> usize {
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
