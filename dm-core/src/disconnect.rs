//! Ending sessions from outside: the order, and what became of it.

use std::fmt;

use crate::device::DeviceId;
use crate::user::UserId;

/// Why a host ends sessions. Clients are told which, never why in the host's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The device was forgotten; connecting again registers it anew.
    DeviceForgotten,
    /// The user may not be connected any more, for instance because they were banned.
    Refused,
    /// The user signed out.
    SignedOut,
}

/// Sessions to be ended on all nodes: for
/// [`Notifier::end_sessions`](crate::notify::Notifier::end_sessions).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndSessions {
    /// The user whose sessions end.
    pub user: UserId,
    /// The device whose sessions end; `None` for all devices.
    pub device: Option<DeviceId>,
    /// Why.
    pub reason: DisconnectReason,
}

/// The answer to an order to end sessions.
///
/// A node that is missing may have missed the order: it was not reached, or it did not answer in
/// time. Its sessions go on until the host's own check refuses them, which `dm-axum` asks for with
/// the pings of each WebSocket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disconnected {
    /// Sessions that were ended, as far as nodes confirmed.
    pub sessions: usize,
    /// The nodes that confirmed, the caller's own first.
    pub confirmed: Vec<NodeId>,
    /// The nodes that should have, the caller's own included; `None` where nobody knows, for
    /// instance without the bus.
    pub expected: Option<usize>,
}

impl Disconnected {
    /// Whether every node is known to have confirmed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.expected.is_some_and(|expected| self.confirmed.len() >= expected)
    }
}

/// A process with a [`Hub`](crate::Hub): random, and another one after each start.
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
