//! Errors of starting a notifier.

use dm_core::Invalid;

/// The error of a notifier that could not be started. A server that cannot be reached is no error:
/// the notifier tries to connect until it succeeds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NatsError {
    /// A field of the configuration is not valid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The server refused the node's credentials, or asks for some.
    #[error("the NATS server refused the credentials")]
    Refused(#[source] async_nats::ConnectError),
    #[cfg(feature = "nkeys")]
    /// The file with credentials could not be read.
    #[error("the file with NATS credentials could not be read")]
    Credentials(#[source] std::io::Error),
    /// A file with certificates or a key could not be used, or the server and this node do not
    /// trust each other.
    #[error("no TLS with the NATS server")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}
