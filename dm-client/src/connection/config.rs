//! The configuration of a connection.

use std::time::Duration;

#[cfg(doc)]
use super::Connection;
use crate::retry::RetryPolicy;

/// How a [`Connection`] behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// Where a device that the server has never seen starts. Default: at the oldest entry still held.
    pub start: Start,
    /// The distance of attempts to connect; `attempts` is not looked at, they never end. Default 500 ms, doubled up
    /// to 30 s.
    pub retry: RetryPolicy,
    /// How long connecting, the greeting and a write may take. Default 10 s.
    pub timeout: Duration,
    /// After how long a silence the server is pinged. It then has `timeout` to say anything. Default 30 s.
    pub ping_interval: Duration,
    /// Largest frame taken from the server, bytes. Default 256 KiB.
    pub max_frame: usize,
    /// Events that wait for the caller, at most; with more, reading pauses. Default 512, twice what a server sends
    /// ahead of acknowledgements.
    pub queue: usize,
}

/// Where a device that the server has never seen starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// With the oldest entry of the inbox that is still held.
    #[default]
    Oldest,
    /// With what happens from now on.
    Now,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            start: Start::Oldest,
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
    fn the_defaults_are_those_that_are_documented() {
        let config = ConnectionConfig::default();
        assert_eq!((config.start, config.max_frame, config.queue), (Start::Oldest, 256 << 10, 512));
        assert_eq!((config.timeout.as_secs(), config.ping_interval.as_secs()), (10, 30));
        assert_eq!((config.retry.first.as_millis(), config.retry.longest.as_secs()), (500, 30));
    }
}
