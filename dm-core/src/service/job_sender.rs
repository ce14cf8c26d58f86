//! The way to a lane, on which so many writes and so many bytes may wait.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::lane::Job;
use super::own_task::OwnTask;
use super::status::Status;
use crate::error::Error;
use crate::store::{Outcome, Write};

/// A lane's end for those who write.
pub(super) struct JobSender {
    jobs: mpsc::Sender<Job>,
    /// Bytes that are free in all queues together.
    free_bytes: Arc<Semaphore>,
    /// Held by the first of the writes that wait. Later ones line up behind it, so that writes
    /// enter the queue in the order in which they were first polled.
    wait_order: Arc<Semaphore>,
    status: Arc<Status>,
    runtime: Handle,
}

/// A write on its way to a lane.
pub(super) struct UnqueuedJob {
    pub(super) write: Write,
    pub(super) answer: oneshot::Sender<Result<Outcome, Error>>,
    /// What it takes of the queue's bytes.
    pub(super) bytes: u32,
}

impl JobSender {
    /// The way to a lane, on the current tokio runtime.
    pub(super) fn new(jobs: mpsc::Sender<Job>, free_bytes: &Arc<Semaphore>, status: &Arc<Status>) -> Self {
        Self {
            jobs,
            free_bytes: Arc::clone(free_bytes),
            wait_order: Arc::new(Semaphore::new(1)),
            status: Arc::clone(status),
            runtime: Handle::current(),
        }
    }

    /// Queues a write: at once if there is room and nobody waits for some, else in a task of its
    /// own.
    ///
    /// Cancel safe: dropped before the write is queued it does not happen, dropped later it happens
    /// in full.
    ///
    /// # Errors
    /// When the lane has ended; the write is not queued.
    pub(super) async fn send(&self, job: UnqueuedJob) -> Result<(), Error> {
        if let Some((slot, permit)) = self.try_reserve(job.bytes) {
            slot.send(job.into_job(permit));
            return Ok(());
        }
        self.send_when_free(job).await
    }

    /// A slot and so many bytes, if that takes no waiting.
    fn try_reserve(&self, bytes: u32) -> Option<(mpsc::Permit<'_, Job>, OwnedSemaphorePermit)> {
        if self.wait_order.available_permits() == 0 {
            return None;
        }
        let slot = self.jobs.try_reserve().ok()?;
        let permit = Arc::clone(&self.free_bytes).try_acquire_many_owned(bytes).ok()?;
        Some((slot, permit))
    }

    fn send_when_free(&self, job: UnqueuedJob) -> OwnTask<(), Error> {
        let (jobs, status) = (self.jobs.clone(), Arc::clone(&self.status));
        let (free_bytes, wait_order) = (Arc::clone(&self.free_bytes), Arc::clone(&self.wait_order));
        OwnTask::new(&self.runtime, async move {
            // Nobody closes the semaphores.
            let _first = wait_order.acquire().await.map_err(|_| Error::ShuttingDown)?;
            let permit = free_bytes.acquire_many_owned(job.bytes).await.map_err(|_| Error::ShuttingDown)?;
            let slot = jobs.reserve().await.map_err(|_| status.closed_error())?;
            slot.send(job.into_job(permit));
            Ok(())
        })
    }

    /// Writes queued and not yet taken into a batch.
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
