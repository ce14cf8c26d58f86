//! [`Service`], its parts, and the methods that its other modules share.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use uuid::Uuid;

use super::inbox_heads::InboxHeads;
use super::own_task::OwnTask;
use super::queue::Queue;
use super::reads::Reads;
use super::stage::{Lifecycle, Stage};
use crate::config::Config;
use crate::directory::{Directory, Profile};
use crate::entropy::{Entropy, uuid_v7};
use crate::error::Error;
use crate::hub::Hub;
use crate::notifier::Notifier;
use crate::numbers::InboxSeq;
use crate::record::Tag;
use crate::store::{Change, Done, Outcome, Refusal, StoreError, StoreErrorKind, Write};
use crate::time::{Clock, Timestamp};
use crate::user::UserId;

/// The direct-message service on a store. Clones are handles to the same service.
///
/// A method that changes something returns after the change is durable.
///
/// # Errors
/// Common to all calls: [`Error::Unavailable`] when the store cannot answer now,
/// [`Error::OutcomeUnknown`] when it is not known whether a commit happened, and
/// [`Error::ShuttingDown`] for writes after [`shutdown`](Self::shutdown) began.
///
/// # Cancel safety
/// A write whose future is dropped happens in full and is notified, or it does not happen at all.
/// Dropping the future aborts a read, and a write that is not queued yet. A write that is queued is
/// committed.
///
/// # Futures that are held
/// A caller may poll a future of the service once and then hold it without polling it, for instance
/// while it writes to a slow client. Such a future does not delay other calls: it holds no permit,
/// no lock, no connection and no room in a queue that another call waits for. Therefore each read
/// of the store, each wait for room in the queue and each call of the [`Directory`] runs in a task
/// of its own. The futures of a [`Session`](crate::Session) have the same property.
#[derive(Clone)]
pub struct Service {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) reads: Reads,
    pub(super) hub: Hub,
    pub(super) notifier: Arc<dyn Notifier>,
    pub(super) directory: Arc<dyn Directory>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) config: Config,
    pub(super) queue: Queue,
    pub(super) inbox_heads: InboxHeads,
    pub(super) lifecycle: Lifecycle,
    /// Limits the cursor moves that run in the background after fetches. A fetch that gets no
    /// permit moves no cursor, and the next fetch tries again.
    pub(super) cursor_moves: Arc<Semaphore>,
}

impl Service {
    /// The limits and modes of the service.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The hub, with the connections of this process.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    /// The host's user directory. Prefer [`profiles`](Self::profiles), which calls the directory in
    /// a task of its own. Code that calls the directory directly has to use such a task itself.
    #[must_use]
    pub fn directory(&self) -> &dyn Directory {
        &*self.inner.directory
    }

    /// The clock of the service.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    /// The profiles of some users, from the host's directory. Profile *i* belongs to user *i*;
    /// `None` for a user that the directory does not know.
    ///
    /// # Errors
    /// [`Error::DirectoryUnavailable`] when the directory cannot answer now.
    ///
    /// # Cancel safety
    /// Dropping the future drops the future of the directory's call.
    pub async fn profiles(&self, users: Vec<UserId>) -> Result<Vec<Option<Profile>>, Error> {
        let directory = Arc::clone(&self.inner.directory);
        let profiles = async move { directory.profiles(&users).await };
        Ok(OwnTask::new(&self.inner.reads.runtime, profiles).await?)
    }

    /// The reads of the store.
    pub(crate) fn store(&self) -> &Reads {
        &self.inner.reads
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// A timer that resolves when a waiting session has to ask the store, in case every hint was
    /// lost. The timers of many sessions resolve together (see [`Timestamp::grouped`]).
    pub(crate) fn poll_timer(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (clock, interval) = (Arc::clone(&self.inner.clock), self.inner.config.poll_interval);
        Box::pin(async move { clock.sleep(clock.now().grouped(interval)).await })
    }

    pub(super) fn new_id(&self, at: Timestamp) -> Uuid {
        uuid_v7(at, &*self.inner.entropy)
    }

    pub(super) fn new_tag(&self) -> Tag {
        Tag::random(&*self.inner.entropy)
    }

    /// Stops the service within `bound`, and returns when every write is answered. A second call
    /// also returns when every write is answered.
    ///
    /// Sessions end, new writes are refused, and queued writes are committed and answered. Writes
    /// that are not committed after `bound` are answered with an error: [`Error::OutcomeUnknown`]
    /// for the batch that the store is committing at that time, [`Error::ShuttingDown`] for the
    /// others.
    pub async fn shutdown(&self, bound: Duration) {
        let Inner { lifecycle, queue, clock, .. } = &*self.inner;
        lifecycle.advance(Stage::Draining);
        tokio::select! {
            () = queue.wait_until_drained() => {}
            () = clock.sleep(bound) => {}
        }
        lifecycle.advance(Stage::Stopped);
        queue.wait_until_drained().await;
    }

    /// Resolves after shutdown has begun.
    pub(crate) fn wait_for_shutdown(&self) -> impl Future<Output = ()> + Send + '_ {
        self.inner.lifecycle.wait_for_shutdown()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.inner.lifecycle.stage() > Stage::Running
    }

    /// Asks for the head of a user's inbox, the number of its newest entry. If the store fails, the
    /// receiver gets no number. The caller then reads the inbox itself, and that read returns the
    /// store's error.
    pub(crate) fn inbox_head(&self, user: UserId) -> oneshot::Receiver<InboxSeq> {
        self.inner.inbox_heads.ask(&self.inner.reads, user)
    }

    /// Commits a write, in a batch with others that wait, and returns its result. A refusal is
    /// returned as an error.
    pub(super) async fn submit(&self, write: Write) -> Result<Done, Error> {
        match self.outcome(write).await? {
            Outcome::Done(done) => Ok(done),
            Outcome::Refused(refusal) => Err(self.refusal_error(&refusal)),
        }
    }

    /// As [`outcome`](Self::outcome), in the lane of jobs, so that no send waits for it.
    pub(super) async fn job_outcome(&self, write: Write) -> Result<Outcome, Error> {
        if self.is_draining() {
            return Err(Error::ShuttingDown);
        }
        self.inner.queue.push_job(write).await
    }

    /// As [`submit`](Self::submit), but a refusal is returned as an outcome.
    pub(super) async fn outcome(&self, write: Write) -> Result<Outcome, Error> {
        // A lane learns of the shutdown only after its running commit. So the write is refused
        // here.
        if self.is_draining() {
            return Err(Error::ShuttingDown);
        }
        self.inner.queue.push(write).await
    }

    pub(super) fn refusal_error(&self, refusal: &Refusal) -> Error {
        match *refusal {
            Refusal::NotFound | Refusal::UnknownDevice => Error::NotFound,
            Refusal::ClientIdReused => Error::ClientIdReused,
            Refusal::Gate(_) => Error::NotAllowed,
            Refusal::Unmet { .. } => Error::Conflict,
            Refusal::UnknownRegistration { .. } => Error::NotFound,
            Refusal::TooManyRecords => Error::TooLarge { field: "records", limit: Change::MAX_CLEARED },
            Refusal::Invalid(invalid) => Error::Invalid(invalid),
            Refusal::TooManyDevices => Error::TooManyDevices { limit: self.config().devices_per_user },
            Refusal::BeyondHead { head } => Error::BeyondHead { head },
            Refusal::NoRoom => Error::Unavailable(StoreErrorKind::Full.into()),
            Refusal::Unsupported => Error::Unavailable(StoreError::new(
                StoreErrorKind::Engine,
                "the store does not support this kind of action",
            )),
        }
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("stage", &self.inner.lifecycle.stage()).finish_non_exhaustive()
    }
}

/// The error for an outcome of another kind than its write. Such a store breaks clause 3 of its
/// contract. The batch is committed, but the result of the write is not known.
pub(super) fn outcome_mismatch() -> Error {
    let kind = StoreErrorKind::OutcomeUnknown;
    Error::OutcomeUnknown(StoreError::new(kind, "outcome kind does not match the write"))
}
