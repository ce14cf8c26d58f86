//! The type [`Client`]. The methods for its calls are in `calls` and `deliver`.

use std::fmt;
use std::sync::Arc;

use crate::connection::{Connection, ConnectionConfig};
use crate::entropy::SharedEntropy;
use crate::http::Http;
use crate::retry::RetryPolicy;
use crate::time::Clock;

/// A client of one server, for one user on one device. Cheap to clone; the clones share their HTTP
/// connections.
///
/// Every call has a limit on its time and on the size of its answer. A call fails with
/// [`ClientError`](crate::ClientError) if the server refuses the request, cannot be reached, does
/// not answer in time, or sends an answer that is malformed or too large. If the future of a call
/// is dropped, the server may or may not carry out the request.
///
/// `Debug` shows neither the address nor the token.
#[derive(Clone)]
pub struct Client {
    pub(super) http: Arc<Http>,
    pub(super) retry: RetryPolicy,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: SharedEntropy,
}

impl Client {
    /// Connects to the user's inbox. The connection delivers the entries after the device's cursor
    /// (the number up to which the device has acknowledged every entry). A background task connects
    /// now, and again each time the connection is lost; see [`Connection`].
    ///
    /// # Panics
    ///
    /// If this function is called outside of a tokio runtime.
    pub fn connect(&self, config: ConnectionConfig) -> Connection {
        Connection::start(Arc::clone(&self.http), config, Arc::clone(&self.clock), self.entropy.clone())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("device", &self.http.device()).finish_non_exhaustive()
    }
}
