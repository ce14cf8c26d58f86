//! The service itself: what its calls share.

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
use crate::store::{Outcome, Refusal, StoreError, StoreErrorKind, Write};
use crate::time::{Clock, Timestamp};
use crate::user::UserId;

/// The direct-message service over a store. Clones are handles to the same service.
///
/// Every method that changes something returns only once the change is durable. All are cancel safe in one sense:
/// a write whose future is dropped happens in full, and is notified, or not at all.
///
/// A future that was polled once and is then held without being polled costs nobody else anything,
/// whatever it waits for: each read of the store, each wait for room in the queue and each question
/// to the [`Directory`] runs in a task of its own, so that no permit, lock or connection stays with
/// a caller that is busy with something else, such as writing to a slow client. Dropping the future
/// aborts a read, and a write that is not queued yet; a queued write goes on. The same holds for
/// [`Session`](crate::Session).
///
/// Errors common to all: [`Error::Unavailable`] when the store cannot do it now, [`Error::OutcomeUnknown`] when a
/// commit's fate could not be learned, [`Error::ShuttingDown`] after [`shutdown`](Self::shutdown) began.
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
    /// Room for fetches that move a cursor behind their answer; without it they leave that to the
    /// next fetch.
    pub(super) passing: Arc<Semaphore>,
}

impl Service {
    /// The limits and modes in force.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The connections of this process.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    /// The host's directory of people. [`profiles`](Self::profiles) asks it in a task of its own.
    #[must_use]
    pub fn directory(&self) -> &dyn Directory {
        &*self.inner.directory
    }

    /// The clock the service goes by.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    /// Asks the host's directory; answer *i* is that of user *i*, `None` for one it does not know.
    ///
    /// # Errors
    /// [`Error::DirectoryUnavailable`] when the directory cannot tell now.
    ///
    /// # Cancel safety
    /// Dropping the future drops the directory's.
    pub async fn profiles(&self, users: Vec<UserId>) -> Result<Vec<Option<Profile>>, Error> {
        let directory = Arc::clone(&self.inner.directory);
        let asking = async move { directory.profiles(&users).await.map_err(Error::from) };
        OwnTask::new(&self.inner.reads.runtime, asking).await
    }

    /// The store, for reading.
    pub(crate) fn store(&self) -> &Reads {
        &self.inner.reads
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Resolves when a session that heard nothing should look into the store.
    pub(crate) fn poll_timer(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (clock, interval) = (Arc::clone(&self.inner.clock), self.inner.config.poll_interval);
        Box::pin(async move { clock.sleep(clock.now().grouped(interval)).await })
    }

    pub(super) fn new_id(&self, at: Timestamp) -> Uuid {
        uuid_v7(at, &*self.inner.entropy)
    }

    /// Stops within `bound`: sessions end, new work is refused, what was queued is committed and answered. What is
    /// not committed when the bound is over is answered with an error; only the batch that is being written at that
    /// moment has an unknown outcome. Returns when everything is answered. Calling it again waits likewise.
    pub async fn shutdown(&self, bound: Duration) {
        let Inner { lifecycle, queue, clock, .. } = &*self.inner;
        lifecycle.advance(Stage::Draining);
        tokio::select! {
            () = queue.drained() => {}
            () = clock.sleep(bound) => {}
        }
        lifecycle.advance(Stage::Stopped);
        queue.drained().await;
    }

    /// Resolves once shutdown began.
    pub(crate) fn draining(&self) -> impl Future<Output = ()> + Send + '_ {
        self.inner.lifecycle.draining()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.inner.lifecycle.stage() > Stage::Running
    }

    /// The number of the newest entry of a user's inbox. The answer is dropped when the store gives
    /// none; the caller's own read then says why.
    pub(crate) fn inbox_head(&self, user: UserId) -> oneshot::Receiver<InboxSeq> {
        self.inner.inbox_heads.ask(&self.inner.reads, user)
    }

    /// Commits one write with whatever else waits, and returns its outcome, refusals as errors.
    pub(super) async fn submit(&self, write: Write) -> Result<Outcome, Error> {
        match self.outcome(write).await? {
            Outcome::Refused(refusal) => Err(self.refused(&refusal)),
            outcome => Ok(outcome),
        }
    }

    /// As [`submit`](Self::submit), with refusals as they are.
    pub(super) async fn outcome(&self, write: Write) -> Result<Outcome, Error> {
        // The queue itself closes only after the batch being written.
        if self.is_draining() {
            return Err(Error::ShuttingDown);
        }
        self.inner.queue.push(write).await
    }

    pub(super) fn refused(&self, refusal: &Refusal) -> Error {
        match *refusal {
            Refusal::NotFound | Refusal::UnknownDevice => Error::NotFound,
            Refusal::ClientIdReused => Error::ClientIdReused,
            Refusal::StaleKey { current } => Error::StaleKey { current: current.map(Box::new) },
            Refusal::TooManyDevices => Error::TooManyDevices { limit: self.config().devices_per_user },
            Refusal::BeyondHead { head } => Error::BeyondHead { head },
            Refusal::NoRoom => Error::Unavailable(StoreErrorKind::Full.into()),
            Refusal::Unsupported => Error::Unavailable(StoreError::new(
                StoreErrorKind::Engine,
                "the store does not know this write",
            )),
        }
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("stage", &self.inner.lifecycle.stage()).finish_non_exhaustive()
    }
}

/// An outcome of another kind than its write: the store breaks clause 3 of its contract, after a commit.
pub(super) fn misaligned() -> Error {
    use crate::store::{StoreError, StoreErrorKind};
    Error::OutcomeUnknown(StoreError::new(StoreErrorKind::OutcomeUnknown, "the store answered another write"))
}
