//! The values of the REST calls about the user's inbox: pending messages, acknowledgements, devices
//! and tickets.

use std::fmt;

use crate::device::DeviceId;
use crate::ids::MessageId;
use crate::message::Message;
use crate::numbers::InboxSeq;
use crate::time::Timestamp;

/// A page of messages that are pending for the device, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingPage {
    /// The range of entries that the server has removed from the inbox, before the first message of
    /// this page; `None` if it has removed none there. The messages of these entries may still be
    /// in the history of the conversations.
    pub gap: Option<Gap>,
    /// The messages.
    pub messages: Vec<Message>,
    /// The inbox number after which the next page starts; `None` on the last page.
    pub next: Option<InboxSeq>,
}

/// A range of entries that the server has removed from the user's inbox, for instance because of
/// their age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The number of the first missing entry.
    pub from: InboxSeq,
    /// The number of the last missing entry.
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

/// The effect of an acknowledgement. An entry may be acknowledged more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// For [`AckTarget::UpTo`], the number of entries by which the cursor moved. For
    /// [`AckTarget::Messages`], the number of named messages that the inbox has or had, whether or
    /// not they were acknowledged before.
    pub acknowledged: u64,
    /// Number of named messages that do not exist or are not in the user's inbox.
    pub unknown: u64,
    /// Number of messages that are pending for the device after the acknowledgement. Other entries
    /// do not count.
    pub remaining: u64,
}

/// A registered device of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceState {
    /// The device.
    pub device: DeviceId,
    /// The device has acknowledged every entry up to this number.
    pub cursor: InboxSeq,
    /// The time at which the device was registered, by the server's clock.
    pub registered_at: Timestamp,
}

/// A ticket for one WebSocket, for programs that cannot set a header on the WebSocket's request.
/// `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The secret, for the query parameter `ticket` of the WebSocket's address.
    pub ticket: String,
    /// The time at which the ticket expires, by the server's clock; `None` if the server does not
    /// send it.
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
