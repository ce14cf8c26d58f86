//! Requests to end sessions, and their results.

use std::fmt;

use crate::device::DeviceId;
use crate::user::UserId;

/// The reason why a host ends sessions. Clients are told the variant and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The device was forgotten. If it connects again, it is registered as a new device.
    DeviceForgotten,
    /// The user is no longer allowed to connect, for instance after a ban.
    Refused,
    /// The user signed out.
    SignedOut,
}

/// A request to end sessions on all nodes, for
/// [`Notifier::end_sessions`](crate::notify::Notifier::end_sessions).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndSessions {
    /// The user whose sessions end.
    pub user: UserId,
    /// The device whose sessions end; `None` for all devices.
    pub device: Option<DeviceId>,
    /// The reason, which the clients are told.
    pub reason: DisconnectReason,
}

/// The result of a request to end sessions.
///
/// A node that did not confirm has not got the request, or did not answer in time. Sessions on that
/// node may stay until the host there finds that the login of the session has ended. `dm-axum`
/// checks the login at the pings of each WebSocket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DisconnectReport {
    /// The number of sessions that the confirming nodes ended.
    pub sessions: usize,
    /// The nodes that confirmed, the caller's own first.
    pub confirmed: Vec<NodeId>,
    /// The number of nodes that should confirm, the caller's own included; `None` if the
    /// number is not known, for instance while the connection to the other nodes is down.
    pub expected: Option<usize>,
}

impl DisconnectReport {
    /// Whether every node confirmed; false if the number of nodes is not known.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.expected.is_some_and(|expected| self.confirmed.len() >= expected)
    }
}

/// The id of a process with a [`Hub`](crate::Hub): eight random bytes, new at each start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; 8]);

impl NodeId {
    /// An id from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The id's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DeviceForgotten => "the device was forgotten",
            Self::Refused => "refused",
            Self::SignedOut => "signed out",
        })
    }
}
