//! The configuration of a connection.

use std::time::Duration;

#[cfg(doc)]
use super::handle::Connection;
use crate::retry::RetryPolicy;

/// The configuration of a [`Connection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// The start of a new device's cursor. Default: before the oldest entry that is still held.
    pub start: DeviceStart,
    /// The waits between attempts to connect. The number of attempts is not limited; `attempts` is
    /// ignored. Default: 500 ms, doubled up to 30 s.
    pub retry: RetryPolicy,
    /// The limit for connecting including the handshake, and for each write. Default 10 s.
    pub timeout: Duration,
    /// Time without a frame from the server after which the client pings it. If nothing comes
    /// within `timeout` after the ping, the connection is lost. Default 30 s.
    pub ping_interval: Duration,
    /// Largest frame accepted from the server, bytes. Default 256 KiB.
    pub max_frame: usize,
    /// Most events that wait for the caller. While as many wait, the client reads nothing from the
    /// server. Default 512, twice what a server sends ahead of acknowledgements.
    pub queue: usize,
}

/// The start of the cursor of a device that the server does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceStart {
    /// Before the oldest entry that is still held.
    #[default]
    Oldest,
    /// At the newest entry: only later ones are delivered.
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
