//! The service: what a host calls.

mod commit;
mod conversations;
mod disconnect;
mod health;
mod housekeeping;
mod inbox;
mod inbox_heads;
mod keys;
mod lane;
mod lifecycle;
mod messages;
mod own_task;
mod queue;
mod reads;
mod under_way;

pub use conversations::{ConversationPage, Opened};
pub use health::Health;
pub use housekeeping::Expired;
pub use inbox::{Pending, PendingKind, PendingQuery};
pub use lifecycle::ServiceBuilder;
pub use messages::{SendMessage, Sent};

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use uuid::Uuid;

use crate::config::Config;
use crate::directory::{Directory, Profile};
use crate::entropy::{Entropy, uuid_v7};
use crate::error::Error;
use crate::notify::Notifier;
use crate::store::{Outcome, Refusal, Store, Write};
use crate::time::{Clock, Timestamp};
use crate::user::UserId;
use commit::Committer;
use inbox_heads::InboxHeads;
use lifecycle::Stage;
use own_task::OwnTask;
use reads::Reads;

pub(crate) use reads::Reading;

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
/// [`Hub::connect`](crate::Hub::connect), [`Hub::follow`](crate::Hub::follow) and
/// [`Session`](crate::Session).
///
/// Errors common to all: [`Error::Unavailable`] when the store cannot do it now, [`Error::OutcomeUnknown`] when a
/// commit's fate could not be learned, [`Error::ShuttingDown`] after [`shutdown`](Self::shutdown) began.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    reads: Reads,
    notifier: Arc<dyn Notifier>,
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    config: Config,
    committer: Committer,
    inbox_heads: InboxHeads,
    stage: tokio::sync::watch::Sender<Stage>,
    /// Rung when the stage moves on, for the sessions.
    draining: tokio::sync::Notify,
    /// Room for fetches that move a cursor behind their answer; without it they leave that to the
    /// next fetch.
    passing: Arc<tokio::sync::Semaphore>,
}

impl Service {
    /// A builder of a service over a store.
    #[must_use]
    pub fn builder(store: impl Store) -> ServiceBuilder {
        ServiceBuilder::new(Arc::new(store))
    }

    /// The limits and modes in force.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
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
    /// [`Error::Unavailable`] when the directory cannot tell now.
    ///
    /// # Cancel safety
    /// Dropping the future drops the directory's.
    pub async fn profiles(&self, users: Vec<UserId>) -> Result<Vec<Option<Profile>>, Error> {
        let directory = Arc::clone(&self.inner.directory);
        let asking = async move { directory.profiles(&users).await.map_err(Error::Unavailable) };
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

    fn new_id(&self, at: Timestamp) -> Uuid {
        uuid_v7(at, &*self.inner.entropy)
    }

    /// Commits one write with whatever else waits, and returns its outcome, refusals as errors.
    async fn commit(&self, write: Write) -> Result<Outcome, Error> {
        // The queue itself closes only after the batch being written.
        if self.is_draining() {
            return Err(Error::ShuttingDown);
        }
        match self.inner.committer.commit(write).await? {
            Outcome::Refused(refusal) => Err(self.refused(&refusal)),
            outcome => Ok(outcome),
        }
    }

    fn refused(&self, refusal: &Refusal) -> Error {
        use crate::store::{Refusal, StoreError, StoreErrorKind};
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
        f.debug_struct("Service").field("stage", &*self.inner.stage.borrow()).finish_non_exhaustive()
    }
}

/// An outcome of another kind than its write: the store breaks clause 3 of its contract, after a commit.
fn misaligned() -> Error {
    use crate::store::{StoreError, StoreErrorKind};
    Error::OutcomeUnknown(StoreError::new(StoreErrorKind::OutcomeUnknown, "the store answered another write"))
}
