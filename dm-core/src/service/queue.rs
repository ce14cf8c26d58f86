//! [`Queue`], in which writes wait for the store. It has one or more lanes: tasks that commit
//! batches of writes.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::job_sender::{JobSender, UnqueuedJob};
use super::lane::Lane;
use super::relay;
use super::stage::Lifecycle;
use super::status::Status;
use crate::config::Config;
use crate::error::Error;
use crate::notifier::Notifier;
use crate::store::{AckTarget, Outcome, Store, StoreErrorKind, Write};
use crate::time::Clock;

/// The queue in which writes wait for the store. It has one or more lanes. Each lane commits the
/// writes that wait for it as a batch, answers their callers, and passes the hints on.
pub(super) struct Queue {
    lanes: Vec<JobSender>,
    /// The number of bytes that may wait in all lanes together.
    max_bytes: usize,
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
                    max_batch_writes: config.batch,
                    max_batch_bytes: config.batch_bytes,
                };
                tokio::spawn(lane.run());
                JobSender::new(sender, &free_bytes, &status)
            })
            .collect();
        Self { lanes, max_bytes: config.queue_bytes, status }
    }

    /// Queues a write and waits for its outcome.
    ///
    /// Cancel safe: if the future is dropped before the write is queued, the write does not happen;
    /// if it is dropped later, the write happens in full.
    pub(super) async fn push(&self, write: Write) -> Result<Outcome, Error> {
        // A write that is larger than the queue takes all its bytes. If it asked for more bytes, it
        // would wait for ever.
        let bytes = u32::try_from(counted_bytes(&write).min(self.max_bytes)).unwrap_or(u32::MAX);
        let (answer, outcome) = oneshot::channel();
        let lane = self.lane(&write).ok_or(Error::ShuttingDown)?;
        lane.send(UnqueuedJob { write, answer, bytes }).await?;
        // A lane answers every job that it has taken, unless the store panics or the runtime ends.
        outcome.await.unwrap_or_else(|_| Err(Error::OutcomeUnknown(StoreErrorKind::OutcomeUnknown.into())))
    }

    /// The status of the lanes.
    pub(super) fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// The number of writes in the channels of all lanes.
    pub(super) fn queued_count(&self) -> usize {
        self.lanes.iter().map(JobSender::len).sum()
    }

    /// Resolves after every lane has answered its last job and ended.
    pub(super) async fn wait_until_drained(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.status.running_lanes.subscribe().wait_for(|lanes| *lanes == 0).await;
    }

    /// The lane of a write; `None` if there is no lane. All messages of one conversation have the
    /// same lane. The same holds for all openings of one pair's conversation, and for all other
    /// writes of one user.
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

/// A hash that spreads keys over lanes.
fn hash(key: &[u8]) -> usize {
    key.iter().fold(0, |hash, byte| usize::wrapping_mul(hash, 31).wrapping_add(usize::from(*byte)))
}

/// The size of a write in bytes, as the queue counts it: its payload or the entries that it names,
/// and 64 for the write itself.
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
