//! [`CommitThread`], the only thread that calls the engine's writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::engine::{EngineReader, EngineWriter};
use super::reopen::{OpenEngine, Reopened, reopen};
use super::reserve::{Gauge, admit, with_refusals};
use super::shared::{ReaderSignals, Shared, Signal, WatchedReader};
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::status::{Availability, Room};
use crate::store::write::{Outcome, Write};

/// A message to the commit thread.
pub(super) enum Job<R> {
    /// Commit a batch, and send the result.
    Commit(Vec<Write>, oneshot::Sender<Result<Vec<Outcome>, StoreError>>),
    /// Measure free space, for a status.
    Measure,
    /// The engine refused a read with this reader. The engine refuses all further work.
    Refused(Arc<WatchedReader<R>>),
    /// The thread that reopens the engine has finished.
    Reopened,
}

/// The state of the commit thread.
pub(super) struct CommitThread<W, R> {
    pub(super) engine: Engine<W, R>,
    pub(super) reopen: Option<OpenEngine<W, R>>,
    pub(super) gauge: Option<Gauge>,
    pub(super) shared: Arc<Shared<R>>,
    /// The sender of the thread's own queue. It is weak, so that dropping the last handle of the
    /// store closes the queue.
    pub(super) jobs: mpsc::WeakSender<Job<R>>,
}

/// The engine in one of its three states.
pub(super) enum Engine<W, R> {
    /// The engine is open. After a failure it may refuse all work.
    Open { writer: W, signals: ReaderSignals },
    /// A thread reopens the engine. [`Signal::Stop`] ends it.
    Reopening { signals: Sender<Signal>, thread: JoinHandle<(OpenEngine<W, R>, Reopened<W, R>)> },
    /// The engine could not be reopened.
    Closed,
}

impl<W: EngineWriter, R: EngineReader> CommitThread<W, R> {
    /// Does one job after another until the last handle of the store is dropped.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Job<R>>) {
        while let Some(job) = queue.blocking_recv() {
            match job {
                Job::Commit(batch, answer) => {
                    let result = self.commit(batch);
                    // Sending fails if the caller has stopped waiting. The batch is committed in
                    // this case, too.
                    let _ = answer.send(result);
                }
                Job::Measure => self.measure(),
                Job::Refused(reader) => {
                    let is_current = self.shared.is_current(&reader);
                    drop(reader);
                    // A store that was closed after a panic is not reopened.
                    if is_current && self.shared.availability() == Availability::Open {
                        self.engine_failed();
                    }
                }
                Job::Reopened => self.finish_reopening(),
            }
        }
        if let Engine::Reopening { signals, thread } = self.engine {
            let _ = signals.send(Signal::Stop);
            // The thread catches the engine's panics, so joining does not fail.
            let _ = thread.join();
        }
    }

    /// Commits a batch. If disk space is low, only the writes that need no space are committed, and
    /// the others are refused.
    fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        if self.shared.availability() != Availability::Open {
            return Err(self.shared.refusal());
        }
        if self.room_for(&batch) == Room::Enough {
            return self.commit_all(batch);
        }
        let (writes, admitted) = admit(batch);
        let outcomes = if writes.is_empty() { Vec::new() } else { self.commit_all(writes)? };
        Ok(with_refusals(outcomes, &admitted))
    }

    /// Commits a batch, and reopens or closes the store if the engine then refuses all work.
    fn commit_all(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let Engine::Open { writer, .. } = &mut self.engine else { return Err(self.shared.refusal()) };
        let Ok(result) = catch_unwind(AssertUnwindSafe(|| writer.commit(batch))) else {
            // The engine's memory is in an unknown state. The engine is not reopened, because its
            // files may not open a second time while the old engine exists.
            self.close();
            return Err(StoreError::new(StoreErrorKind::OutcomeUnknown, "the storage engine panicked"));
        };
        let Err(error) = result else { return result };
        let kind = error.kind();
        if matches!(kind, StoreErrorKind::OutcomeUnknown | StoreErrorKind::Closed) || writer.is_broken() {
            self.engine_failed();
        }
        // The store's refusal replaces the engine's, because only the store's tells whether a retry
        // can succeed.
        Err(if kind == StoreErrorKind::Closed { self.shared.refusal() } else { error })
    }

    /// Called when the engine refuses all work. Starts a thread that reopens the engine, or closes
    /// the store if it has no way to reopen the engine.
    fn engine_failed(&mut self) {
        let Some(mut open) = self.reopen.take() else { return self.close() };
        let Engine::Open { writer, signals } = std::mem::replace(&mut self.engine, Engine::Closed) else {
            return;
        };
        let old = (writer, self.shared.begin_reopening());
        let ReaderSignals { sender, receiver } = signals;
        let jobs = self.jobs.clone();
        let work = move || {
            let reopened = reopen(old, &mut open, &receiver);
            if let Some(jobs) = jobs.upgrade() {
                let _ = jobs.blocking_send(Job::Reopened);
            }
            (open, reopened)
        };
        match std::thread::Builder::new().name("dm-reopen".to_owned()).spawn(work) {
            Ok(thread) => self.engine = Engine::Reopening { signals: sender, thread },
            Err(error) => {
                tracing::error!(%error, "the operating system starts no thread to reopen the store, which stays closed");
                self.close();
            }
        }
    }

    /// Takes the new writer and reader from the thread that reopened the engine. Closes the store
    /// if it could not be reopened.
    fn finish_reopening(&mut self) {
        let Engine::Reopening { thread, .. } = std::mem::replace(&mut self.engine, Engine::Closed) else {
            return;
        };
        let Ok((open, Reopened::Open(writer, reader))) = thread.join() else { return self.close() };
        let (reader, signals) = WatchedReader::new(reader);
        self.reopen = Some(open);
        self.engine = Engine::Open { writer, signals };
        self.shared.open(reader);
        tracing::info!("the store is open again");
    }

    /// Closes the store. An engine that is still open is dropped later, when the last handle of the
    /// store is dropped.
    fn close(&self) {
        tracing::error!("the store refuses all work until the process opens it again");
        self.shared.close();
    }

    /// Whether the disk has room for a batch; always enough without a reserve.
    fn room_for(&mut self, batch: &[Write]) -> Room {
        let Some(gauge) = &mut self.gauge else { return Room::Enough };
        let room = gauge.room_for(batch);
        self.shared.set_room(room);
        room
    }

    /// Measures free space for the status. Does nothing without a reserve.
    fn measure(&mut self) {
        if let Some(gauge) = &mut self.gauge {
            self.shared.set_room(gauge.measure(0));
        }
    }
}
