//! [`Embedded`], the adapter for engines whose calls block. Commits run on a thread of their own,
//! reads on the runtime's blocking pool.
//!
//! - `engine`: the two traits that an engine implements, for its writer and for its reader.
//! - `shared`: the state that the handles of a store and its threads share.
//! - `commit_thread`: the thread that commits.
//! - `reopen`: opens the engine again after it failed.
//! - `reserve`: keeps disk space free.
//! - `handle`: makes a store of a type that has an [`Embedded`] inside.

mod commit_thread;
mod engine;
mod handle;
mod reopen;
mod reserve;
mod shared;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::Store;
use super::read::{
    ConversationsQuery, Depth, DeviceState, HistoryPage, HistoryQuery, InboxPage, InboxQuery,
    ListedConversation,
};
use super::scan::{ScanPage, ScanQuery};
use super::status::StoreStatus;
use super::write::{Outcome, Write};
use crate::conversation::ConversationState;
use crate::device::Principal;
use crate::ids::ConversationId;
use crate::numbers::InboxSeq;
use crate::record::{Record, RecordKey};
use crate::store::error::{StoreError, StoreErrorKind};
use crate::user::UserId;
use commit_thread::{CommitThread, Engine, Job};
pub use engine::{EngineReader, EngineWriter};
pub use handle::EmbeddedStore;
use reopen::OpenEngine;
use reserve::{Gauge, Reserve};
use shared::{Shared, WatchedReader};

/// A [`Store`] on an engine whose calls block. Commits run on one thread, the commit thread. Reads
/// run on the runtime's blocking pool. Clones share the engine.
///
/// Dropping the last clone waits for the commit thread to end, so that the engine is closed and can
/// be opened again. The wait lasts as long as a running commit, even if the commit's caller stopped
/// waiting. A running read may keep the engine open a little longer.
///
/// A crate that exports a store of its own type implements [`EmbeddedStore`] for it.
///
/// # After an unknown outcome
/// The data on disk is consistent, but the engine's memory may differ from it. The engine then has
/// to be opened again:
///
/// - If the store has a way to reopen the engine ([`EmbeddedBuilder::reopen`]), it drops the writer
///   and the reader and opens new ones, on a separate thread and with growing pauses between
///   attempts. Until the engine is open, all calls are refused as
///   [`Unavailable`](StoreErrorKind::Unavailable). The outcome of the failed batch stays unknown.
/// - Otherwise, every further call is refused as [`Closed`](StoreErrorKind::Closed).
///
/// The store does the same after any other error if the engine then refuses all work. After a panic
/// of the writer, every further call is refused as `Closed`.
pub struct Embedded<R> {
    commits: Arc<CommitQueue<R>>,
    /// Limits the number of reads that run at the same time.
    reads: Arc<Semaphore>,
    shared: Arc<Shared<R>>,
    /// Whether the store keeps a reserve of disk space, for which it measures free space.
    keeps_reserve: bool,
    /// Whether the store has a way to reopen its engine.
    can_reopen: bool,
}

/// The queue of the commit thread. Dropping it closes the queue and waits for the thread to end.
struct CommitQueue<R> {
    // Both are `Some` until the queue is dropped.
    jobs: Option<mpsc::Sender<Job<R>>>,
    thread: Option<JoinHandle<()>>,
}

impl<R> Drop for CommitQueue<R> {
    fn drop(&mut self) {
        self.jobs = None;
        // The thread catches the engine's panics, so joining does not fail.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Builds an [`Embedded`] from the writer and the reader of an engine.
pub struct EmbeddedBuilder<W, R> {
    writer: W,
    reader: R,
    reopen: Option<OpenEngine<W, R>>,
    reserve: Option<Reserve>,
}

impl<W: EngineWriter, R: EngineReader> EmbeddedBuilder<W, R> {
    /// Gives the store a way to open its engine again. `reopen` returns a new writer and reader.
    ///
    /// `reopen` is called on a separate thread, after the old writer and reader are dropped. If a
    /// read uses the old reader for longer than 5 seconds, `reopen` is called while that read runs,
    /// and must fail if the old reader prevents the engine from opening. After each failure
    /// `reopen` is called again. It must not create missing data.
    #[must_use]
    pub fn reopen(mut self, reopen: impl FnMut() -> Result<(W, R), StoreError> + Send + 'static) -> Self {
        self.reopen = Some(Box::new(reopen));
        self
    }

    /// Keeps a reserve of `bytes` free on the disk. Zero means no reserve.
    ///
    /// While fewer bytes are free, writes that take disk space permanently (messages,
    /// conversations, records, posts) are refused as
    /// [`Refusal::NoRoom`](super::Refusal::NoRoom) before the engine is called. Reads,
    /// acknowledgements, devices and expiry go on.
    ///
    /// `free` returns the number of free bytes. It is called on the commit thread:
    ///
    /// - for a batch or a status, if the last measurement is at least one second old;
    /// - for a batch, if a sixteenth of the reserve may have been written since the last
    ///   measurement.
    #[must_use]
    pub fn reserve(mut self, bytes: u64, free: impl FnMut() -> io::Result<u64> + Send + 'static) -> Self {
        self.reserve = (bytes > 0).then(|| Reserve { bytes, free: Box::new(free) });
        self
    }

    /// Starts the commit thread.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] when the operating system starts no thread.
    pub fn start(self) -> Result<Embedded<R>, StoreError> {
        // The channel has room for one job: a batch waits while another is committed. That is
        // enough, because the service has two lanes for this store: one for calls and one for jobs.
        let (jobs, queue) = mpsc::channel(1);
        let reads = Arc::new(Semaphore::new(self.reader.max_concurrent_reads().get()));
        let (reader, signals) = WatchedReader::new(self.reader);
        let shared = Arc::new(Shared::new(reader));
        let (keeps_reserve, can_reopen) = (self.reserve.is_some(), self.reopen.is_some());
        let thread = CommitThread {
            engine: Engine::Open { writer: self.writer, signals },
            reopen: self.reopen,
            gauge: self.reserve.map(Gauge::new),
            shared: Arc::clone(&shared),
            jobs: jobs.downgrade(),
        };
        let thread = std::thread::Builder::new()
            .name("dm-commit".to_owned())
            .spawn(move || thread.run(queue))
            .map_err(|error| StoreError::new(StoreErrorKind::Unavailable, error))?;
        let commits = Arc::new(CommitQueue { jobs: Some(jobs), thread: Some(thread) });
        Ok(Embedded { commits, reads, shared, keeps_reserve, can_reopen })
    }
}

impl<R: EngineReader> Embedded<R> {
    /// Starts the commit thread of a store that cannot be reopened and keeps no reserve.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] when the operating system starts no thread.
    pub fn new(writer: impl EngineWriter, reader: R) -> Result<Self, StoreError> {
        Self::builder(writer, reader).start()
    }

    /// A builder of a store on an engine with this writer and this reader.
    pub const fn builder<W: EngineWriter>(writer: W, reader: R) -> EmbeddedBuilder<W, R> {
        EmbeddedBuilder { writer, reader, reopen: None, reserve: None }
    }

    /// Runs a read on the blocking pool. First waits until fewer than
    /// [`EngineReader::max_concurrent_reads`] reads are running.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&R) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.reads).acquire_owned().await.map_err(|_| StoreErrorKind::Closed)?;
        let reader = self.shared.reader()?;
        let jobs = self.commits.jobs.as_ref().map(mpsc::Sender::downgrade);
        let work = move || {
            let answer = read(&reader);
            let refused = answer.as_ref().is_err_and(|error| error.kind() == StoreErrorKind::Closed);
            if let Some(jobs) = jobs.filter(|_| refused).and_then(|jobs| jobs.upgrade()) {
                // If the queue is full, the job is dropped. That does no harm: the next commit or
                // read finds again that the engine refuses all work.
                let _ = jobs.try_send(Job::Refused(reader));
            } else {
                // The reader is dropped before the answer is returned. After the answer the caller
                // may drop the last handle, which has to close the engine.
                drop(reader);
            }
            drop(permit);
            answer
        };
        let answer = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| StoreError::new(StoreErrorKind::Engine, error))?;
        // The store's refusal replaces the engine's, because only the store's tells whether a retry
        // can succeed.
        answer.map_err(|error| match error.kind() {
            StoreErrorKind::Closed if self.can_reopen => self.shared.refusal(),
            _ => error,
        })
    }
}

impl<R> Clone for Embedded<R> {
    fn clone(&self) -> Self {
        Self {
            commits: Arc::clone(&self.commits),
            reads: Arc::clone(&self.reads),
            shared: Arc::clone(&self.shared),
            keeps_reserve: self.keeps_reserve,
            can_reopen: self.can_reopen,
        }
    }
}

impl<R> std::fmt::Debug for Embedded<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("status", &self.shared.status()).finish_non_exhaustive()
    }
}

impl<W, R> std::fmt::Debug for EmbeddedBuilder<W, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedBuilder").finish_non_exhaustive()
    }
}

#[async_trait]
impl<R: EngineReader> Store for Embedded<R> {
    async fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let (answer, result) = oneshot::channel();
        let jobs = self.commits.jobs.as_ref().ok_or(StoreErrorKind::Closed)?;
        let sent = jobs.send(Job::Commit(batch, answer)).await;
        sent.map_err(|_| StoreError::from(StoreErrorKind::Closed))?;
        // The result is missing if the commit thread panicked outside `EngineWriter::commit`.
        result.await.unwrap_or_else(|_| Err(StoreErrorKind::OutcomeUnknown.into()))
    }

    async fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError> {
        self.read(move |reader| reader.records(keys)).await
    }

    async fn scan(&self, query: ScanQuery) -> Result<ScanPage, StoreError> {
        self.read(move |reader| reader.scan(query)).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        self.read(move |reader| reader.conversation(id)).await
    }

    async fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ListedConversation>, StoreError> {
        self.read(move |reader| reader.conversations(query)).await
    }

    async fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        self.read(move |reader| reader.history(query)).await
    }

    async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        self.read(move |reader| reader.inbox(query)).await
    }

    async fn inbox_heads(&self, users: Vec<UserId>) -> Result<Vec<InboxSeq>, StoreError> {
        self.read(move |reader| reader.inbox_heads(users)).await
    }

    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        self.read(move |reader| reader.devices(user)).await
    }

    async fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        self.read(move |reader| reader.depth(who)).await
    }

    fn status(&self) -> StoreStatus {
        if self.keeps_reserve
            && self.shared.is_stale()
            && let Some(jobs) = &self.commits.jobs
        {
            // While nothing is committed, only this job renews the measurement. If the queue is
            // full, the job is dropped, and a commit or a later status renews the measurement.
            let _ = jobs.try_send(Job::Measure);
        }
        self.shared.status()
    }
}
