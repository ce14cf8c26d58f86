//! [`ServiceBuilder`], which sets the parts of a service and starts the service.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::handle::{Inner, Service};
use super::in_flight::InFlight;
use super::inbox_heads::InboxHeads;
use super::queue::Queue;
use super::reads::Reads;
use super::stage::Lifecycle;
use super::{health, housekeeping, inbox, jobs};
use crate::config::Config;
use crate::directory::{Directory, OpenDirectory};
use crate::entropy::{Entropy, OsEntropy};
use crate::hub::Hub;
use crate::invalid::Invalid;
use crate::notifier::Notifier;
use crate::store::Store;
use crate::time::{Clock, SystemClock};

/// The builder of a [`Service`]. Every part except the store has a default.
pub struct ServiceBuilder {
    store: Arc<dyn Store>,
    hub: Hub,
    notifier: Arc<dyn Notifier>,
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    config: Config,
}

impl ServiceBuilder {
    fn new(store: Arc<dyn Store>) -> Self {
        let hub = Hub::new();
        Self {
            store,
            notifier: Arc::new(hub.clone()),
            hub,
            directory: Arc::new(OpenDirectory),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            config: Config::default(),
        }
    }

    /// The hub that the service will have. A notifier between nodes needs it, to pass the hints of
    /// other nodes on to the sessions of this one.
    #[must_use]
    pub fn hub(&self) -> Hub {
        self.hub.clone()
    }

    /// Sets the notifier that gets the hints of new entries. Default: the service's own
    /// [`hub`](Self::hub).
    ///
    /// The notifier has to pass the hints on to that hub. Otherwise the sessions find new entries
    /// only by asking the store, every [`Config::poll_interval`](crate::Config::poll_interval).
    #[must_use]
    pub fn notifier(mut self, notifier: impl Notifier) -> Self {
        self.notifier = Arc::new(notifier);
        self
    }

    /// Sets the user directory. Default: [`OpenDirectory`], in which every user exists, without a
    /// name.
    #[must_use]
    pub fn directory(mut self, directory: impl Directory) -> Self {
        self.directory = Arc::new(directory);
        self
    }

    /// Sets the clock. Default: [`SystemClock`], that of the machine.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets the source of random bytes for ids. Default: [`OsEntropy`], that of the operating
    /// system.
    #[must_use]
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// Sets the limits and modes. Default: [`Config::default`].
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Starts the service and its tasks on the current tokio runtime. The tasks end after
    /// [`Service::shutdown`], or when the last handle and the last session are dropped.
    ///
    /// # Errors
    /// [`Invalid`] when the configuration is not valid.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(self) -> Result<Service, Invalid> {
        self.config.validate()?;
        let lifecycle = Lifecycle::new();
        let notifier = Arc::clone(&self.notifier);
        let queue = Queue::start(&self.store, &self.clock, notifier, &self.config, &lifecycle);
        let reads = Reads {
            store: self.store,
            clock: Arc::clone(&self.clock),
            runtime: Handle::current(),
            in_flight: InFlight::default(),
        };
        let inner = Arc::new(Inner {
            reads,
            hub: self.hub,
            notifier: self.notifier,
            directory: self.directory,
            clock: self.clock,
            entropy: self.entropy,
            config: self.config,
            queue,
            inbox_heads: InboxHeads::default(),
            lifecycle,
            cursor_moves: Arc::new(tokio::sync::Semaphore::new(inbox::MAX_CURSOR_MOVES)),
        });
        tokio::spawn(housekeeping::run(Arc::downgrade(&inner)));
        tokio::spawn(jobs::run(Arc::downgrade(&inner)));
        tokio::spawn(health::update_gauges(Arc::downgrade(&inner)));
        Ok(Service { inner })
    }
}

impl std::fmt::Debug for ServiceBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Service {
    /// A builder of a service on a store.
    #[must_use]
    pub fn builder(store: impl Store) -> ServiceBuilder {
        ServiceBuilder::new(Arc::new(store))
    }
}
