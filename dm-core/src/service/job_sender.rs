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
    room: Arc<Semaphore>,
    /// Held by the first of the writes that wait. Later ones line up behind it, so that writes
    /// enter the queue in the order in which they were first polled.
    turn: Arc<Semaphore>,
    status: Arc<Status>,
    runtime: Handle,
}

/// A write on its way to a lane.
pub(super) struct Entry {
    pub(super) write: Write,
    pub(super) answer: oneshot::Sender<Result<Outcome, Error>>,
    /// What it takes of the queue's bytes.
    pub(super) bytes: u32,
}

impl JobSender {
    /// The way to a lane, on the current tokio runtime.
    pub(super) fn new(jobs: mpsc::Sender<Job>, room: &Arc<Semaphore>, status: &Arc<Status>) -> Self {
        Self {
            jobs,
            room: Arc::clone(room),
            turn: Arc::new(Semaphore::new(1)),
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
    pub(super) async fn send(&self, entry: Entry) -> Result<(), Error> {
        if let Some((slot, room)) = self.room_now(entry.bytes) {
            slot.send(entry.with(room));
            return Ok(());
        }
        self.wait(entry).await
    }

    /// A slot and so many bytes, if that takes no waiting.
    fn room_now(&self, bytes: u32) -> Option<(mpsc::Permit<'_, Job>, OwnedSemaphorePermit)> {
        if self.turn.available_permits() == 0 {
            return None;
        }
        let slot = self.jobs.try_reserve().ok()?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes).ok()?;
        Some((slot, room))
    }

    fn wait(&self, entry: Entry) -> OwnTask<(), Error> {
        let (jobs, room, turn) = (self.jobs.clone(), Arc::clone(&self.room), Arc::clone(&self.turn));
        let status = Arc::clone(&self.status);
        OwnTask::new(&self.runtime, async move {
            // Nobody closes the semaphores.
            let _turn = turn.acquire().await.map_err(|_| Error::ShuttingDown)?;
            let room = room.acquire_many_owned(entry.bytes).await.map_err(|_| Error::ShuttingDown)?;
            let slot = jobs.reserve().await.map_err(|_| status.closed())?;
            slot.send(entry.with(room));
            Ok(())
        })
    }

    /// Writes queued and not yet taken into a batch.
    pub(super) fn len(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }
}

impl Entry {
    fn with(self, room: OwnedSemaphorePermit) -> Job {
        let Self { write, answer, bytes } = self;
        Job { write, answer, room, bytes }
    }
}
