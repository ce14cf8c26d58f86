//! [`JobSender`], which sends jobs to one lane within the limits of the queue. A job is a write
//! with the caller that waits for its outcome.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::lane::Job;
use super::own_task::OwnTask;
use super::status::Status;
use crate::error::Error;
use crate::store::{Outcome, Write};

/// The sender of jobs to one lane.
pub(super) struct JobSender {
    jobs: mpsc::Sender<Job>,
    /// The bytes that are free in the queues of all lanes together.
    free_bytes: Arc<Semaphore>,
    /// One permit, held by the job that is the next to get room. Jobs behind it wait for the
    /// permit, so that jobs enter the queue in the order in which their futures were first polled.
    wait_order: Arc<Semaphore>,
    status: Arc<Status>,
    runtime: Handle,
}

/// A write that is not in the queue yet.
pub(super) struct UnqueuedJob {
    pub(super) write: Write,
    pub(super) answer: oneshot::Sender<Result<Outcome, Error>>,
    /// The number of the queue's free bytes that the write takes.
    pub(super) bytes: u32,
}

impl JobSender {
    /// A sender for the channel of a lane, on the current tokio runtime.
    pub(super) fn new(jobs: mpsc::Sender<Job>, free_bytes: &Arc<Semaphore>, status: &Arc<Status>) -> Self {
        Self {
            jobs,
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
    pub(super) async fn send(&self, job: UnqueuedJob) -> Result<(), Error> {
        if let Some((slot, permit)) = self.try_reserve(job.bytes) {
            slot.send(job.into_job(permit));
            return Ok(());
        }
        self.send_when_free(job).await
    }

    /// Reserves a slot in the channel and `bytes` of the queue's free bytes. Returns `None` if
    /// there is no free slot, if fewer bytes are free, or if another job waits for room.
    fn try_reserve(&self, bytes: u32) -> Option<(mpsc::Permit<'_, Job>, OwnedSemaphorePermit)> {
        if self.wait_order.available_permits() == 0 {
            return None;
        }
        let slot = self.jobs.try_reserve().ok()?;
        let permit = Arc::clone(&self.free_bytes).try_acquire_many_owned(bytes).ok()?;
        Some((slot, permit))
    }

    /// Waits in a task of its own for a slot and for bytes, and queues the job.
    fn send_when_free(&self, job: UnqueuedJob) -> OwnTask<(), Error> {
        let (jobs, status) = (self.jobs.clone(), Arc::clone(&self.status));
        let (free_bytes, wait_order) = (Arc::clone(&self.free_bytes), Arc::clone(&self.wait_order));
        OwnTask::new(&self.runtime, async move {
            // The semaphores are never closed, so these errors do not occur.
            let _turn = wait_order.acquire().await.map_err(|_| Error::ShuttingDown)?;
            let permit = free_bytes.acquire_many_owned(job.bytes).await.map_err(|_| Error::ShuttingDown)?;
            let slot = jobs.reserve().await.map_err(|_| status.closed_error())?;
            slot.send(job.into_job(permit));
            Ok(())
        })
    }

    /// The number of jobs in the channel.
    pub(super) fn len(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }
}

impl UnqueuedJob {
    fn into_job(self, permit: OwnedSemaphorePermit) -> Job {
        let Self { write, answer, bytes } = self;
        Job { write, answer, permit, bytes }
    }
}
