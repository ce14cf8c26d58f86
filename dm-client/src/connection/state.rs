//! [`ConnectionState`]: the state of a connection, and the reasons for a loss and for the end.

use std::time::Duration;

#[cfg(doc)]
use super::handle::Connection;
use crate::error::Problem;
use crate::numbers::InboxSeq;

/// The state of a [`Connection`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// The background task is connecting.
    Connecting,
    /// The connection has a WebSocket, and the server has answered the hello.
    Online {
        /// The server's cursor for the device: deliveries up to it are acknowledged.
        acknowledged: InboxSeq,
    },
    /// Not connected. Another attempt follows.
    Waiting {
        /// The wait before the next attempt.
        retry_in: Duration,
        /// The reason why the last connection or attempt ended.
        reason: Lost,
    },
    /// The connection has ended. No other attempt follows.
    Ended(End),
}

/// The reason why a connection lost its WebSocket. Another attempt follows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// The server could not be reached, or the socket broke.
    #[error("cannot reach the server")]
    Network,
    /// The server sent nothing for too long.
    #[error("the server does not answer")]
    Timeout,
    /// The server announced that it closes the connection, for instance because it restarts.
    #[error("the server is going away")]
    GoingAway,
    /// The server temporarily refused the connection or a request.
    #[error("the server refused temporarily: {0}")]
    Refused(Problem),
    /// The server sent bytes that do not follow the protocol. The text names the defect.
    #[error("the server's answer is malformed: {0}")]
    Protocol(&'static str),
}

/// The reason why a connection ended. No other attempt follows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum End {
    /// The caller closed the connection.
    #[error("closed")]
    Closed,
    /// A newer connection of the same device replaced this one. Another attempt would replace the
    /// newer connection.
    #[error("replaced by a newer connection of the same device")]
    Replaced,
    /// The token is missing, expired or invalid: sign in again.
    #[error("the token is missing, expired or invalid")]
    Unauthorized,
    /// The server refused the connection or a request permanently.
    #[error("the server refused: {0}")]
    Refused(Problem),
}
