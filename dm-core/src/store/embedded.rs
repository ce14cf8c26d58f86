//! Threads for engines whose calls block.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use async_trait::async_trait;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{
    ConversationsQuery, Depth, DeviceState, HistoryPage, HistoryQuery, InboxPage, InboxQuery, Outcome, Store,
    Write,
};
use crate::{ConversationId, ConversationState, KeyRecord, Principal, StoreError, StoreErrorKind, UserId};

/// The writing half of an engine whose calls block. Lives on one thread and is the only writer there.
pub trait EngineWriter: Send + 'static {
    /// Does what [`Store::commit`] does, under the same contract.
    ///
    /// # Errors
    /// As [`Store::commit`]. After [`OutcomeUnknown`](StoreErrorKind::OutcomeUnknown), or a panic, it is not called again.
    fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError>;
}

/// The reading half of an engine whose calls block. Called from many threads at once; each method does what the
/// method of [`Store`] with its name does.
#[expect(missing_docs, reason = "each method is documented at Store")]
pub trait EngineReader: Send + Sync + 'static {
    fn key(&self, user: UserId) -> Result<Option<KeyRecord>, StoreError>;
    fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError>;
    fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ConversationState>, StoreError>;
    fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError>;
    fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError>;
    fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError>;
    fn depth(&self, who: Principal) -> Result<Depth, StoreError>;

    /// How many reads gain from running at once. Further ones wait without a thread, so that a thousand clients that
    /// connect at once do not take the host's whole pool of threads for blocking work.
    fn at_once(&self) -> NonZeroUsize {
        const { NonZeroUsize::new(8).unwrap() }
    }
}

/// Makes a [`Store`] of a blocking engine: commits run on one thread of their own, reads on the runtime's blocking
/// pool. Clones share both. Dropping the last clone waits for the thread to end, so that the engine is closed then and
/// can be opened again: for as long as a commit takes whose caller stopped waiting. A read whose caller stopped waiting
/// may hold the engine a little longer.
///
/// After a commit whose outcome is unknown, and after a panic in the writer, every further call is refused as
/// [`Closed`](StoreErrorKind::Closed): what is in the file is right, what this process believes of it may not be.
pub struct Embedded<R> {
    reader: Arc<R>,
    writer: Arc<CommitThread>,
    reads: Arc<Semaphore>,
    refusing: Arc<AtomicBool>,
}

/// The commit thread. Dropping this ends it.
struct CommitThread {
    commits: Option<mpsc::Sender<Commit>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for CommitThread {
    fn drop(&mut self) {
        self.commits = None;
        // The thread catches the engine's panics, so it ends well.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Commit {
    batch: Vec<Write>,
    answer: oneshot::Sender<Result<Vec<Outcome>, StoreError>>,
}

impl<R: EngineReader> Embedded<R> {
    /// Starts the commit thread.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn new(writer: impl EngineWriter, reader: R) -> Result<Self, StoreError> {
        // One batch is being committed and one waits: the service gathers no more than that.
        let (commits, queue) = mpsc::channel(1);
        let refusing = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&refusing);
        let thread = std::thread::Builder::new()
            .name("dm-commit".to_owned())
            .spawn(move || run(writer, queue, &flag))
            .map_err(|error| StoreError::new(StoreErrorKind::Unavailable, error))?;
        let writer = CommitThread { commits: Some(commits), thread: Some(thread) };
        let reads = Arc::new(Semaphore::new(reader.at_once().get()));
        Ok(Self { reader: Arc::new(reader), writer: Arc::new(writer), reads, refusing })
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&R) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.refusing.load(Ordering::Acquire) {
            return Err(StoreErrorKind::Closed.into());
        }
        // Nobody closes the semaphore.
        let place = Arc::clone(&self.reads).acquire_owned().await.map_err(|_| StoreErrorKind::Closed)?;
        let reader = Arc::clone(&self.reader);
        let work = move || {
            let answer = read(&reader);
            // Before the answer is looked at: its caller may drop the last handle, and then the engine is closed.
            drop((reader, place));
            answer
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| StoreError::new(StoreErrorKind::Engine, error))?
    }
}

/// The commit thread: one batch after another until the last handle is gone.
fn run(mut writer: impl EngineWriter, mut queue: mpsc::Receiver<Commit>, refusing: &AtomicBool) {
    while let Some(Commit { batch, answer }) = queue.blocking_recv() {
        if refusing.load(Ordering::Acquire) {
            let _ = answer.send(Err(StoreErrorKind::Closed.into()));
            continue;
        }
        let result = catch_unwind(AssertUnwindSafe(|| writer.commit(batch))).unwrap_or_else(|_| {
            Err(StoreError::new(StoreErrorKind::OutcomeUnknown, "the storage engine panicked"))
        });
        if result.as_ref().is_err_and(|error| error.kind() == StoreErrorKind::OutcomeUnknown) {
            refusing.store(true, Ordering::Release);
        }
        // A caller that stopped waiting changes nothing about what was committed.
        let _ = answer.send(result);
    }
}

impl<R> Clone for Embedded<R> {
    fn clone(&self) -> Self {
        Self {
            reader: Arc::clone(&self.reader),
            writer: Arc::clone(&self.writer),
            reads: Arc::clone(&self.reads),
            refusing: Arc::clone(&self.refusing),
        }
    }
}

impl<R> std::fmt::Debug for Embedded<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("refusing", &self.refusing).finish_non_exhaustive()
    }
}

#[async_trait]
impl<R: EngineReader> Store for Embedded<R> {
    async fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let (answer, result) = oneshot::channel();
        let commits = self.writer.commits.as_ref().ok_or(StoreErrorKind::Closed)?;
        commits.send(Commit { batch, answer }).await.map_err(|_| StoreError::from(StoreErrorKind::Closed))?;
        result.await.unwrap_or_else(|_| Err(StoreErrorKind::OutcomeUnknown.into()))
    }

    async fn key(&self, user: UserId) -> Result<Option<KeyRecord>, StoreError> {
        self.read(move |reader| reader.key(user)).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        self.read(move |reader| reader.conversation(id)).await
    }

    async fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ConversationState>, StoreError> {
        self.read(move |reader| reader.conversations(query)).await
    }

    async fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        self.read(move |reader| reader.history(query)).await
    }

    async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        self.read(move |reader| reader.inbox(query)).await
    }

    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        self.read(move |reader| reader.devices(user)).await
    }

    async fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        self.read(move |reader| reader.depth(who)).await
    }
}
