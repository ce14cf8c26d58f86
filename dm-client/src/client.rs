//! The client: one server, one user, one device.

use std::{fmt, sync::Arc};

use crate::{
    connection::{Connection, ConnectionConfig},
    entropy::{Entropy, OsEntropy, SharedEntropy},
    error::ClientError,
    http::{Http, Timeouts},
    ids::Device,
    retry::RetryPolicy,
    time::{Clock, SystemClock},
};

mod calls;
mod deliver;

/// Talks to one server as one user on one device. Cheap to clone; clones share connections.
///
/// Every call has a limit on the time it takes and on the size of the answer. Dropping a call's future abandons it:
/// what the server was asked to do, it may or may not do.
///
/// `Debug` shows neither the address nor the token.
#[derive(Clone)]
pub struct Client {
    http: Arc<Http>,
    retry: RetryPolicy,
    clock: Arc<dyn Clock>,
    entropy: SharedEntropy,
}

/// Prepares a [`Client`].
#[must_use]
pub struct ClientBuilder {
    base: String,
    token: Option<String>,
    device: Option<Device>,
    timeouts: Timeouts,
    retry: RetryPolicy,
    clock: Arc<dyn Clock>,
    entropy: SharedEntropy,
}

impl Client {
    /// Prepares a client of the server at `base`, such as `http://127.0.0.1:8080`; a path, if there is one, is put
    /// before every call's.
    pub fn builder(base: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            base: base.into(),
            token: None,
            device: None,
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            clock: Arc::new(SystemClock),
            entropy: SharedEntropy::new(OsEntropy),
        }
    }

    /// Opens the stream of what happens to the user, from what the device last acknowledged. It connects in the
    /// background, and again whenever it has to; see [`Connection`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn connect(&self, config: ConnectionConfig) -> Connection {
        Connection::start(Arc::clone(&self.http), config, Arc::clone(&self.clock), self.entropy.clone())
    }
}

impl ClientBuilder {
    /// Signs every call with this token, as `Authorization: Bearer …`.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Names the device. Without, the server knows it by what the token says.
    pub fn device(mut self, device: Device) -> Self {
        self.device = Some(device);
        self
    }

    /// How long calls may take.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// How often and at what distance a send is tried again.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Takes time from here.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes randomness from here: nonces, message ids and the spread of retries.
    pub fn entropy(mut self, entropy: impl Entropy + Send + 'static) -> Self {
        self.entropy = SharedEntropy::new(entropy);
        self
    }

    /// The client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ClientError::InvalidUrl`], [`ClientError::NoTls`], [`ClientError::InvalidToken`].
    pub fn build(self) -> Result<Client, ClientError> {
        let mut http = Http::new(&self.base, self.timeouts)?;
        if let Some(token) = &self.token {
            http.authorize(token)?;
        }
        if let Some(device) = self.device {
            http.set_device(device);
        }
        Ok(Client { http: Arc::new(http), retry: self.retry, clock: self.clock, entropy: self.entropy })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("device", &self.http.device()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("device", &self.device).finish_non_exhaustive()
    }
}
