//! [`LaneSender`], which sends writes to one lane within the limits of the queue. Each goes with
//! the caller that waits for its outcome.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::lane::QueuedWrite;
use super::own_task::OwnTask;
use super::status::Status;
use crate::error::Error;
use crate::store::{Outcome, Write};

/// The sender of writes to one lane.
pub(super) struct LaneSender {
    queue: mpsc::Sender<QueuedWrite>,
    /// The bytes that are free in the queues of all lanes together; of the lane of jobs, in its own.
    free_bytes: Arc<Semaphore>,
    /// One permit, held by the write that is the next to get room. Writes behind it wait for the
    /// permit, so that they enter the queue in the order in which their futures were first polled.
    wait_order: Arc<Semaphore>,
    status: Arc<Status>,
    runtime: Handle,
}

/// A write that is not in the queue yet.
pub(super) struct UnqueuedWrite {
    pub(super) write: Write,
    pub(super) answer: oneshot::Sender<Result<Outcome, Error>>,
    /// The number of the queue's free bytes that the write takes.
    pub(super) bytes: u32,
}

impl LaneSender {
    /// A sender for the channel of a lane, on the current tokio runtime.
    pub(super) fn new(
        queue: mpsc::Sender<QueuedWrite>,
        free_bytes: &Arc<Semaphore>,
        status: &Arc<Status>,
    ) -> Self {
        Self {
            queue,
            free_bytes: Arc::clone(free_bytes),
            wait_order: Arc::new(Semaphore::new(1)),
            status: Arc::clone(status),
            runtime: Handle::current(),
        }
    }

    /// Queues a write: at once if there is room and no other write waits for room, otherwise in a
    /// task of its own.
    ///
    /// Cancel safe: if the future is dropped before the write is queued, the write does not happen;
    /// if it is dropped later, the write happens in full.
    ///
    /// # Errors
    /// [`Status::closed_error`] if the lane has ended. The write is not queued then.
    pub(super) async fn send(&self, write: UnqueuedWrite) -> Result<(), Error> {
        if let Some((slot, permit)) = self.try_reserve(write.bytes) {
            slot.send(write.into_queued(permit));
            return Ok(());
        }
        self.send_when_free(write).await
    }

    /// Reserves a slot in the channel and `bytes` of the queue's free bytes. Returns `None` if
    /// there is no free slot, if fewer bytes are free, or if another write waits for room.
    fn try_reserve(&self, bytes: u32) -> Option<(mpsc::Permit<'_, QueuedWrite>, OwnedSemaphorePermit)> {
        if self.wait_order.available_permits() == 0 {
            return None;
        }
        let slot = self.queue.try_reserve().ok()?;
        let permit = Arc::clone(&self.free_bytes).try_acquire_many_owned(bytes).ok()?;
        Some((slot, permit))
    }

    /// Waits in a task of its own for a slot and for bytes, and queues the write.
    fn send_when_free(&self, write: UnqueuedWrite) -> OwnTask<(), Error> {
        let (queue, status) = (self.queue.clone(), Arc::clone(&self.status));
        let (free_bytes, wait_order) = (Arc::clone(&self.free_bytes), Arc::clone(&self.wait_order));
        OwnTask::new(&self.runtime, async move {
            // The semaphores are never closed, so these errors do not occur.
            let _turn = wait_order.acquire().await.map_err(|_| Error::ShuttingDown)?;
            let permit = free_bytes.acquire_many_owned(write.bytes).await.map_err(|_| Error::ShuttingDown)?;
            let slot = queue.reserve().await.map_err(|_| status.closed_error())?;
            slot.send(write.into_queued(permit));
            Ok(())
        })
    }

    /// The number of writes in the channel.
    pub(super) fn len(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

impl UnqueuedWrite {
    fn into_queued(self, permit: OwnedSemaphorePermit) -> QueuedWrite {
        let Self { write, answer, bytes } = self;
        QueuedWrite { write, answer, permit, bytes }
    }
}
