//! Errors of starting a notifier.

use dm_core::Invalid;

/// The error of a notifier that could not be started. An unreachable server is no error: the
/// notifier tries to connect until it succeeds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NatsError {
    /// A field of the configuration is not valid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The server refused the node's credentials, or requires credentials and the node has none.
    #[error("the NATS server refused the credentials")]
    Refused(#[source] async_nats::ConnectError),
    #[cfg(feature = "nkeys")]
    /// The file with credentials could not be read.
    #[error("the file with NATS credentials could not be read")]
    Credentials(#[source] std::io::Error),
    /// A file with certificates or a key could not be used, or one side of the connection does not
    /// trust the certificate of the other.
    #[error("no TLS with the NATS server")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}
