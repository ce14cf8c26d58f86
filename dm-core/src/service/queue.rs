//! [`Queue`], in which writes wait for the store. It has one or more lanes: tasks that commit
//! batches of writes.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::lane::Lane;
use super::lane_sender::{LaneSender, UnqueuedWrite};
use super::relay;
use super::stage::Lifecycle;
use super::status::Status;
use crate::config::Config;
use crate::error::Error;
use crate::notifier::Notifier;
use crate::record::Owner;
use crate::store::{AckTarget, Action, Change, Outcome, Store, StoreErrorKind, Write};
use crate::time::Clock;

/// The queue in which writes wait for the store. It has one or more lanes, and one more for the
/// writes of jobs. Each lane commits the writes that wait for it as a batch, answers their callers,
/// and passes the hints on.
pub(super) struct Queue {
    lanes: Vec<LaneSender>,
    /// The lane of jobs. A batch of posts takes longer than a batch of sends, so no send waits in a
    /// batch with them. It has a limit of bytes of its own, so that no send waits for the bytes of
    /// posts either.
    job_lane: LaneSender,
    /// The number of bytes that may wait in all lanes together, without that of jobs, and in that of
    /// jobs.
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
        status.running_lanes.send_replace(store.lanes().get() + 1);
        let free_bytes = || Arc::new(Semaphore::new(config.queue_bytes));
        let start_lane = |free_bytes: &Arc<Semaphore>| {
            let (sender, queue) = mpsc::channel(config.queue);
            let lane = Lane {
                store: Arc::clone(store),
                clock: Arc::clone(clock),
                queue,
                waiting: VecDeque::new(),
                unanswered: None,
                hints: hints.clone(),
                status: Arc::clone(&status),
                stage: lifecycle.subscribe(),
                max_batch_writes: config.batch,
                max_batch_bytes: config.batch_bytes,
            };
            tokio::spawn(lane.run());
            LaneSender::new(sender, free_bytes, &status)
        };
        let shared = free_bytes();
        let lanes = (0..store.lanes().get()).map(|_| start_lane(&shared)).collect();
        Self { lanes, job_lane: start_lane(&free_bytes()), max_bytes: config.queue_bytes, status }
    }

    /// Queues a write and waits for its outcome.
    ///
    /// Cancel safe: if the future is dropped before the write is queued, the write does not happen;
    /// if it is dropped later, the write happens in full.
    pub(super) async fn push(&self, write: Write) -> Result<Outcome, Error> {
        self.push_to(self.lane(&write).ok_or(Error::ShuttingDown)?, write).await
    }

    /// As [`push`](Self::push), in the lane of jobs.
    pub(super) async fn push_job(&self, write: Write) -> Result<Outcome, Error> {
        self.push_to(&self.job_lane, write).await
    }

    async fn push_to(&self, lane: &LaneSender, write: Write) -> Result<Outcome, Error> {
        // A write that is larger than the queue takes all its bytes. If it asked for more bytes, it
        // would wait for ever.
        let bytes = u32::try_from(counted_bytes(&write).min(self.max_bytes)).unwrap_or(u32::MAX);
        let (answer, outcome) = oneshot::channel();
        lane.send(UnqueuedWrite { write, answer, bytes }).await?;
        // A lane answers every write that it has taken, unless the store panics or the runtime ends.
        outcome.await.unwrap_or_else(|_| Err(Error::OutcomeUnknown(StoreErrorKind::OutcomeUnknown.into())))
    }

    /// The status of the lanes.
    pub(super) fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// The number of writes in the channels of all lanes.
    pub(super) fn queued_count(&self) -> usize {
        self.lanes.iter().chain([&self.job_lane]).map(LaneSender::len).sum()
    }

    /// Resolves after every lane has answered its last write and ended.
    pub(super) async fn wait_until_drained(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.status.running_lanes.subscribe().wait_for(|lanes| *lanes == 0).await;
    }

    /// The lane of a write; `None` if there is no lane. All messages of one conversation have the
    /// same lane. The same holds for all openings of one pair's conversation, and for all other
    /// writes of one user.
    fn lane(&self, write: &Write) -> Option<&LaneSender> {
        let lane = match &write.action {
            Action::AppendMessage(append) => hash(append.conversation.as_bytes()),
            Action::OpenConversation(open) => hash(open.participants.a().as_bytes()),
            Action::Acknowledge(acknowledge) => hash(acknowledge.who.user.as_bytes()),
            Action::RegisterDevice(register) => hash(register.who.user.as_bytes()),
            Action::ForgetDevice(forget) => hash(forget.who.user.as_bytes()),
            Action::Expire(_) => 0,
            Action::None => write.changes.first().map_or(0, |change| match change.owner() {
                Some(Owner::User(user)) => hash(user.as_bytes()),
                Some(Owner::Conversation(conversation)) => hash(conversation.as_bytes()),
                Some(Owner::Store) | None => 0,
            }),
        };
        self.lanes.get(lane % self.lanes.len().max(1))
    }
}

/// A hash that spreads keys over lanes.
fn hash(key: &[u8]) -> usize {
    key.iter().fold(0, |hash, byte| usize::wrapping_mul(hash, 31).wrapping_add(usize::from(*byte)))
}

/// The size of a write in bytes, as the queue counts it: its payload or the entries that it names,
/// its conditions and effects, and 64 for the write itself.
fn counted_bytes(write: &Write) -> usize {
    let action = match &write.action {
        Action::AppendMessage(append) => append.ciphertext.len(),
        Action::Acknowledge(acknowledge) => match &acknowledge.target {
            AckTarget::UpTo(_) => 0,
            AckTarget::Entries(seqs) => 8 * seqs.len(),
            AckTarget::Messages(ids) => 16 * ids.len(),
        },
        _ => 0,
    };
    let values = write.changes.iter().map(Change::value_len).sum::<usize>();
    64 + action + values + 256 * (write.expects.len() + write.changes.len() + 2 * write.posts.len())
}
