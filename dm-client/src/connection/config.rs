//! [`ConnectionConfig`]: the configuration of a connection.

use std::time::Duration;

#[cfg(doc)]
use super::handle::Connection;
use crate::retry::RetryPolicy;

/// The configuration of a [`Connection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// The first entry that a new device receives. Default: the oldest entry that the server has.
    pub start: DeviceStart,
    /// The waits between attempts to connect. Default: 500 ms, doubled up to 30 s.
    ///
    /// The number of attempts is not limited: `attempts` is ignored. A server can ask for a longer
    /// wait, of at most 5 minutes.
    pub retry: RetryPolicy,
    /// The time limit of the handshake, of each write, of the answer to a ping, and of each step of
    /// [`Connection::close`]. Default 10 s.
    pub timeout: Duration,
    /// The interval of the check for a silent server. Default 30 s.
    ///
    /// If the server sends nothing for an interval, the client sends a ping. If the server sends
    /// nothing within `timeout` after the ping, the WebSocket is lost.
    pub ping_interval: Duration,
    /// Maximum size of a frame from the server, in bytes. Default 256 KiB.
    pub max_frame: usize,
    /// Maximum number of events that wait for the caller; 0 counts as 1. Default 512, which is
    /// twice the number of entries that a server sends without an acknowledgement.
    ///
    /// While the queue is full, the client reads nothing from the server.
    pub queue: usize,
}

/// The first entry that a new device receives. A device is new if the server does not know its id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceStart {
    /// The oldest entry that the server has.
    #[default]
    Oldest,
    /// The first entry after the device connects. Earlier entries are not delivered.
    Now,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            start: DeviceStart::Oldest,
            retry: RetryPolicy {
                attempts: u32::MAX,
                first: Duration::from_millis(500),
                longest: Duration::from_secs(30),
            },
            timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(30),
            max_frame: 256 * 1024,
            queue: 512,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let config = ConnectionConfig::default();
        assert_eq!((config.start, config.max_frame, config.queue), (DeviceStart::Oldest, 256 << 10, 512));
        assert_eq!((config.timeout.as_secs(), config.ping_interval.as_secs()), (10, 30));
        assert_eq!((config.retry.first.as_millis(), config.retry.longest.as_secs()), (500, 30));
    }
}
