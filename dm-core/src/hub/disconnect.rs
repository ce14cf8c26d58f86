//! Ending sessions from outside.

use std::fmt;

use super::Hub;
use super::mailbox::Ended;
use crate::{DeviceId, UserId};

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

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DeviceForgotten => "the device was forgotten",
            Self::Refused => "refused",
            Self::SignedOut => "signed out",
        })
    }
}

impl Hub {
    /// Ends the sessions of a user in this process, of one device or of all: each ends with
    /// [`SessionEnd::Disconnected`](super::SessionEnd::Disconnected) before its next delivery. Returns how many it ended.
    /// Nothing keeps the user from connecting again; that is for the host to refuse.
    pub fn disconnect(&self, user: UserId, device: Option<&DeviceId>, reason: DisconnectReason) -> usize {
        let mut ended = 0;
        for mailbox in self.shard(user).get(&user).into_iter().flatten() {
            if device.is_none_or(|device| device == mailbox.device()) {
                mailbox.end(Ended::Disconnected(reason));
                ended += 1;
            }
        }
        ended
    }
}
