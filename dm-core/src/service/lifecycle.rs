//! Starting and stopping a service.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use super::commit::Committer;
use super::inbox_heads::InboxHeads;
use super::reads::Reads;
use super::under_way::UnderWay;
use super::{Inner, Service, health, housekeeping, inbox};
use crate::config::Config;
use crate::directory::{Directory, OpenDirectory};
use crate::entropy::{Entropy, OsEntropy};
use crate::invalid::Invalid;
use crate::notify::{Notifier, NullNotifier};
use crate::store::Store;
use crate::time::{Clock, SystemClock};

/// How far a service is in its life. Only ever goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Taking work.
    Running,
    /// Refusing new work, finishing what was queued.
    Draining,
    /// Finishing nothing more.
    Stopped,
}

/// Puts a [`Service`] together. Everything but the store has a default.
pub struct ServiceBuilder {
    store: Arc<dyn Store>,
    notifier: Arc<dyn Notifier>,
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    config: Config,
}

impl ServiceBuilder {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            notifier: Arc::new(NullNotifier),
            directory: Arc::new(OpenDirectory),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            config: Config::default(),
        }
    }

    /// Who is told of new entries. Default: nobody.
    #[must_use]
    pub fn notifier(mut self, notifier: impl Notifier) -> Self {
        self.notifier = Arc::new(notifier);
        self
    }

    /// Who exists and what they are called. Default: everybody exists, without a name.
    #[must_use]
    pub fn directory(mut self, directory: impl Directory) -> Self {
        self.directory = Arc::new(directory);
        self
    }

    /// The clock. Default: the machine's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The source of randomness for ids. Default: the operating system's.
    #[must_use]
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// Limits and modes.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Starts the service's tasks on the current tokio runtime. They end after [`Service::shutdown`], or when the
    /// last handle and the last session are dropped.
    ///
    /// # Errors
    /// [`Invalid`] when the configuration is not valid.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(self) -> Result<Service, Invalid> {
        self.config.validate()?;
        let stage = watch::Sender::new(Stage::Running);
        let committer =
            Committer::start(&self.store, &self.clock, Arc::clone(&self.notifier), &self.config, &stage);
        let reads = Reads {
            store: self.store,
            clock: Arc::clone(&self.clock),
            runtime: Handle::current(),
            under_way: UnderWay::default(),
        };
        let inner = Arc::new(Inner {
            reads,
            notifier: self.notifier,
            directory: self.directory,
            clock: self.clock,
            entropy: self.entropy,
            config: self.config,
            committer,
            inbox_heads: InboxHeads::default(),
            stage,
            draining: Notify::new(),
            passing: Arc::new(tokio::sync::Semaphore::new(inbox::PASSING)),
        });
        tokio::spawn(housekeeping::run(Arc::downgrade(&inner)));
        tokio::spawn(health::watch(Arc::downgrade(&inner)));
        Ok(Service { inner })
    }
}

impl std::fmt::Debug for ServiceBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Service {
    /// Stops within `bound`: sessions end, new work is refused, what was queued is committed and answered. What is
    /// not committed when the bound is over is answered with an error; only the batch that is being written at that
    /// moment has an unknown outcome. Returns when everything is answered. Calling it again waits likewise.
    pub async fn shutdown(&self, bound: Duration) {
        self.advance(Stage::Draining);
        let committer = &self.inner.committer;
        tokio::select! {
            () = committer.drained() => {}
            () = self.inner.clock.sleep(bound) => {}
        }
        self.advance(Stage::Stopped);
        committer.drained().await;
    }

    /// Resolves once shutdown began.
    ///
    /// Each session that waits holds one: 80 bytes, where waiting for the stage itself takes 216.
    pub(crate) async fn draining(&self) {
        // A call from here on is heard, so that a shutdown between the look and the wait is not
        // missed.
        let began = self.inner.draining.notified();
        if !self.is_draining() {
            began.await;
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.inner.stage.borrow() > Stage::Running
    }

    fn advance(&self, to: Stage) {
        self.inner.stage.send_if_modified(|stage| {
            let forward = *stage < to;
            *stage = (*stage).max(to);
            forward
        });
        self.inner.draining.notify_waiters();
    }
}

/// Resolves once the service is past a stage of its life, or gone.
pub(super) async fn passed(stage: &mut watch::Receiver<Stage>, than: Stage) {
    // An error means that the service was dropped. Its queue ends by itself then, in the ordinary way.
    if stage.wait_for(|now| *now > than).await.is_err() {
        std::future::pending::<()>().await;
    }
}
