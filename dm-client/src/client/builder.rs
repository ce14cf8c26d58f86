//! [`ClientBuilder`] makes a [`Client`].

use std::fmt;
use std::sync::Arc;

use super::handle::Client;
use crate::device::DeviceId;
use crate::entropy::{Entropy, OsEntropy, SharedEntropy};
use crate::error::ClientError;
use crate::http::{Http, Timeouts};
use crate::retry::RetryPolicy;
use crate::time::{Clock, SystemClock};

/// Makes a [`Client`]. `Debug` shows neither the address nor the token.
#[must_use]
pub struct ClientBuilder {
    base: String,
    token: Option<String>,
    device: Option<DeviceId>,
    timeouts: Timeouts,
    retry: RetryPolicy,
    clock: Arc<dyn Clock>,
    entropy: SharedEntropy,
}

impl Client {
    /// A builder for a client of the server at the URL `base`, such as `http://127.0.0.1:8080`. If
    /// `base` has a path, the client prepends it to the path of every call.
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
}

impl ClientBuilder {
    /// Sets the token, which every call sends as `Authorization: Bearer …`.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Sets the device id, which every call names. Without an id, the host determines the device
    /// from the token.
    pub fn device(mut self, device: DeviceId) -> Self {
        self.device = Some(device);
        self
    }

    /// Sets the time limits of calls.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets the number of attempts of a send and the waits between the attempts.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Sets the clock. The default is [`SystemClock`].
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the source of randomness for nonces, message ids and the waits between attempts. The
    /// default is [`OsEntropy`].
    pub fn entropy(mut self, entropy: impl Entropy + Send + 'static) -> Self {
        self.entropy = SharedEntropy::new(entropy);
        self
    }

    /// Makes the client. This method does not connect to the server.
    ///
    /// # Errors
    ///
    /// - [`ClientError::InvalidUrl`] if `base` is not a URL of a server;
    /// - [`ClientError::NoTls`] if `base` begins with `https` and the feature `tls` is not enabled;
    /// - [`ClientError::InvalidToken`] if the token cannot be part of an HTTP header;
    /// - [`ClientError::Network`] if the HTTP client cannot be made.
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

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("device", &self.device).finish_non_exhaustive()
    }
}
