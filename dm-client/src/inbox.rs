//! The user's inbox over REST: pending messages, acknowledgements, devices and tickets.

use std::fmt;

use crate::device::DeviceId;
use crate::ids::MessageId;
use crate::message::Message;
use crate::numbers::InboxSeq;
use crate::time::Timestamp;

/// A page of messages that are pending for the device, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingPage {
    /// The entries before the first message that the server no longer holds, if there are any: read
    /// the history of the conversations instead.
    pub gap: Option<Gap>,
    /// The messages.
    pub messages: Vec<Message>,
    /// The number after which the next page starts; `None` after the last page.
    pub next: Option<InboxSeq>,
}

/// A range of the user's inbox that the server no longer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// First missing entry.
    pub from: InboxSeq,
    /// Last missing entry.
    pub to: InboxSeq,
}

/// The inbox entries that an acknowledgement names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AckTarget {
    /// Every entry up to this one, inclusive.
    UpTo(InboxSeq),
    /// The entries about these messages, at most 1,000.
    Messages(Vec<MessageId>),
}

/// The effect of an acknowledgement. Acknowledging again is no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Entries that were not acknowledged before and are now.
    pub acknowledged: u64,
    /// Named messages that are not in the user's inbox.
    pub unknown: u64,
    /// Entries that are still pending.
    pub remaining: u64,
}

/// A registered device of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceState {
    /// The device.
    pub device: DeviceId,
    /// Every entry up to this one is acknowledged by the device.
    pub cursor: InboxSeq,
    /// The time at which it was registered, by the server's clock.
    pub registered_at: Timestamp,
}

/// A ticket for one WebSocket connection, for clients that cannot set a header on it. `Debug` does
/// not show the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The secret.
    pub ticket: String,
    /// The time at which it expires, by the server's clock; `None` from a server that does not
    /// tell.
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
