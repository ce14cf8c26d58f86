//! The states of a connection, and its ends.

use std::time::Duration;

#[cfg(doc)]
use super::Connection;
use crate::error::Problem;

/// What a [`Connection`] is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// Making a connection.
    Connecting,
    /// Connected.
    Online {
        /// Up to where the server has deliveries as acknowledged.
        acknowledged: u64,
    },
    /// Not connected; another attempt follows.
    Waiting {
        /// After this long.
        retry_in: Duration,
        /// Why the last one ended.
        reason: Lost,
    },
    /// Over.
    Ended(End),
}

/// Why a connection was lost, to be made again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// The server could not be reached, or the socket broke.
    #[error("cannot reach the server")]
    Network,
    /// The server said nothing for too long.
    #[error("the server does not answer")]
    Timeout,
    /// The server says that it closes this connection, such as for a restart.
    #[error("the server is going away")]
    GoingAway,
    /// The server is in trouble.
    #[error("the server refused for now: {0}")]
    Refused(Problem),
    /// The server sent what the protocol does not know.
    #[error("the server's answer makes no sense: {0}")]
    Protocol(&'static str),
}

/// Why a connection is over for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum End {
    /// The caller closed it.
    #[error("closed")]
    Closed,
    /// Another connection of the same device took over. Connecting again would take it back from there.
    #[error("replaced by a newer connection of the same device")]
    Replaced,
    /// The token is expired or not valid: sign in again.
    #[error("not signed in, or no longer")]
    Unauthorized,
    /// The server refuses the connection.
    #[error("the server refused: {0}")]
    Refused(Problem),
}
