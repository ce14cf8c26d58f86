//! What connections may take, by default and within the file descriptors of the process.

use std::time::Duration;

/// What connections may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How metrics name the listener, one of a few. Default `clients`.
    pub listener: &'static str,
    /// Connections at once, WebSockets included; further ones wait in the system's queue. Default
    /// 16,384.
    pub connections: u32,
    /// Of these, how many from one address, where an IPv6 network of 64 bits counts as one; further
    /// ones are closed. 0 is no limit, as behind a proxy, whose address all have. Default 1,024.
    pub connections_per_address: u32,
    /// How long a client may take to send a request's headers, and to begin with the next one.
    /// Default 15 s.
    pub header_read: Duration,
    /// Bytes of a request's line and headers, and of an answer that waits in the server, for each
    /// connection; at least 8,192. Default 16 KiB.
    pub header_bytes: usize,
    /// How long a client may take nothing of what waits to be written before its connection is
    /// closed. Default 20 s: longer than a WebSocket is waited for.
    pub write_stall: Duration,
    /// How long connections may take to end once the server stops. Default 5 s.
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
    /// With as many connections as so many file descriptors allow, and 16,384 at most. A quarter,
    /// and 64 to 1,024, is left to files, databases and other hosts: a host without a descriptor
    /// answers nobody, and one without a free connection answers everybody who has one. An address
    /// gets a quarter of the connections at most, so that none can take them all.
    #[must_use]
    pub fn within(descriptors: u64) -> Self {
        let left = descriptors.saturating_sub((descriptors / 4).clamp(64, 1_024)).max(16);
        let default = Self::default();
        let connections = u32::try_from(left).unwrap_or(u32::MAX).min(default.connections);
        let connections_per_address = default.connections_per_address.min(connections / 4);
        Self { connections, connections_per_address, ..default }
    }

    /// For an address that only whoever watches the host reaches: 64 connections.
    #[must_use]
    pub fn for_metrics() -> Self {
        Self { listener: "metrics", connections: 64, ..Self::default() }
    }
}

/// Lets the process open as many files as it may, and says how many; `None` where the system does
/// not tell.
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
    fn connections_leave_descriptors_to_everything_else() {
        let connections = [64, 256, 1_024, 4_096, 65_536, u64::MAX].map(|n| Limits::within(n).connections);
        assert_eq!(connections, [16, 192, 768, 3_072, 16_384, 16_384]);
    }

    #[test]
    fn no_address_can_take_all_connections() {
        let per_address =
            [0, 64, 256, 1_024, 4_096, u64::MAX].map(|n| Limits::within(n).connections_per_address);
        assert_eq!(per_address, [4, 4, 48, 192, 768, 1_024]);
    }
}
