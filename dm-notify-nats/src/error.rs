//! Why a notifier could not be started.

use dm_core::Invalid;

/// Why a notifier could not be started. A server that cannot be reached is no error: it is looked for until it is there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NatsError {
    /// A choice is not one that can work.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The server does not let this node in: credentials are wrong, or missing.
    #[error("the NATS server refused the credentials")]
    Refused(#[source] async_nats::ConnectError),
    #[cfg(feature = "nkeys")]
    /// The file of credentials could not be used.
    #[error("the NATS credentials could not be read")]
    Credentials(#[source] std::io::Error),
    /// A file of certificates or a key could not be used, or the server and this node do not trust each other.
    #[error("no TLS with the NATS server")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}
