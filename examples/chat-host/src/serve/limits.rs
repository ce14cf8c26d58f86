//! The limits of connections, by default and by the file descriptors of the process.

use std::time::Duration;

/// The limits of connections.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The name of the listener in metrics. It must be one of a few constants. Default `clients`.
    pub listener: &'static str,
    /// Maximum number of open connections, including WebSockets. Default 16,384.
    ///
    /// Further connections wait in the system's queue.
    pub connections: u32,
    /// Maximum number of open connections from one address. Default 1,024; 0 is no limit.
    ///
    /// An IPv6 network of 64 bits counts as one address. Further connections are closed. A host
    /// behind a proxy needs 0, because all connections have the proxy's address.
    pub connections_per_address: u32,
    /// The time limit for the headers of a request, and for the wait between two requests. Default
    /// 15 s.
    pub header_read: Duration,
    /// Size of each buffer of a connection, in bytes, at least 8,192. Default 16 KiB.
    ///
    /// One buffer is for the line and headers of a request, one for an answer.
    pub header_bytes: usize,
    /// The time without progress after which a pending write fails and the connection is closed.
    /// Default 20 s, which is longer than the limit of the WebSocket's own writes.
    pub write_stall: Duration,
    /// Maximum wait for the connections to end once the server stops. Default 5 s.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            listener: "clients",
            connections: 16_384,
            connections_per_address: 1_024,
            header_read: Duration::from_secs(15),
            header_bytes: 16 * 1024,
            write_stall: Duration::from_secs(20),
            drain: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// The limits for a process with `descriptors` file descriptors.
    ///
    /// - A quarter of the descriptors, at least 64 and at most 1,024, is reserved for files,
    ///   databases and other hosts. A host without free descriptors fails every request, while a
    ///   host without free connections still serves the open ones.
    /// - The other descriptors, at least 16 and at most 16,384, are for connections.
    /// - One address gets at most a quarter of the connections, and at most 1,024.
    #[must_use]
    pub fn within(descriptors: u64) -> Self {
        let available = descriptors.saturating_sub((descriptors / 4).clamp(64, 1_024)).max(16);
        let default = Self::default();
        let connections = u32::try_from(available).unwrap_or(u32::MAX).min(default.connections);
        let connections_per_address = default.connections_per_address.min(connections / 4);
        Self { connections, connections_per_address, ..default }
    }

    /// The limits of a separate listener for metrics: 64 connections.
    #[must_use]
    pub fn for_metrics() -> Self {
        Self { listener: "metrics", connections: 64, ..Self::default() }
    }
}

/// Raises the limit of file descriptors to the maximum, and returns it; `None` if the system does
/// not report it.
#[must_use]
pub fn raise_descriptors() -> Option<u64> {
    rlimit::increase_nofile_limit(u64::MAX)
        .inspect_err(|error| tracing::warn!(%error, "the limit of file descriptors is not known"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_reserved_beside_those_of_connections() {
        let connections = [64, 256, 1_024, 4_096, 65_536, u64::MAX].map(|n| Limits::within(n).connections);
        assert_eq!(connections, [16, 192, 768, 3_072, 16_384, 16_384]);
    }

    #[test]
    fn an_address_gets_at_most_a_quarter_of_the_connections() {
        let per_address =
            [0, 64, 256, 1_024, 4_096, u64::MAX].map(|n| Limits::within(n).connections_per_address);
        assert_eq!(per_address, [4, 4, 48, 192, 768, 1_024]);
    }
}
