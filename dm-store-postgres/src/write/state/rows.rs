//! The rows of users, conversations, devices and inboxes, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dm_core::store::{
    Conversation, ConversationId, Counts, DeviceId, Gate, InboxSeq, Message, Registration, Revisions,
    ServerSequence, Tag, Timestamp, UserGate, UserId,
};

/// The row of a user.
pub(in crate::write) struct User {
    /// The number of the newest inbox entry.
    pub(in crate::write) head: InboxSeq,
    /// The head that the row in the database holds. It includes the numbers that this segment
    /// reserved.
    pub(in crate::write) head_in_row: InboxSeq,
    /// The number of the newest inbox entry that expired; zero if none has.
    pub(in crate::write) floor: InboxSeq,
    /// The time of the oldest entry in the inbox; `None` if the inbox is empty.
    pub(in crate::write) oldest_at: Option<Timestamp>,
    /// The newest registration, of a device that may be forgotten.
    pub(in crate::write) registration: Registration,
    pub(in crate::write) revisions: Revisions,
    /// The tag of the user's fence; `None` if there is none.
    pub(in crate::write) fence: Option<Tag>,
    pub(in crate::write) gate: UserGate,
    /// Whether the segment changed anything besides the head.
    pub(in crate::write) is_changed: bool,
}

/// A conversation, and the number and the time of its newest message.
pub(in crate::write) struct ConversationHead {
    pub(in crate::write) conversation: Conversation,
    /// The number of the newest message.
    pub(in crate::write) sequence: ServerSequence,
    /// The number that the row in the database holds. It includes the numbers that this segment
    /// reserved.
    pub(in crate::write) sequence_in_row: ServerSequence,
    /// The time of the newest message; `None` if there is none, and if the segment reserved numbers
    /// and has appended no message.
    pub(in crate::write) last_activity: Option<Timestamp>,
    pub(in crate::write) counts: Counts,
    /// The tag of the fence when the segment began; `None` if there was none.
    pub(in crate::write) fence: Option<Tag>,
    pub(in crate::write) gate: Gate,
    /// Whether the segment changed the gate.
    pub(in crate::write) has_new_gate: bool,
    /// Whether the segment opens the conversation.
    pub(in crate::write) is_new: bool,
}

/// The gate of a pair that has no conversation.
#[derive(Default)]
pub(in crate::write) struct PairGate {
    pub(in crate::write) gate: Gate,
    /// Whether the segment changed the gate.
    pub(in crate::write) is_changed: bool,
}

/// A stored message that has a client id.
pub(in crate::write) struct SentMessage {
    pub(in crate::write) message: Arc<Message>,
    /// The number of the message's entry in the sender's inbox.
    pub(in crate::write) sender_seq: InboxSeq,
}

/// The numbers of a message's entries in the inboxes of its sender and its recipient.
#[derive(Clone, Copy)]
pub(in crate::write) struct InboxNumbers {
    pub(in crate::write) sender: UserId,
    pub(in crate::write) recipient: UserId,
    pub(in crate::write) sender_seq: InboxSeq,
    pub(in crate::write) recipient_seq: InboxSeq,
}

/// The row of a device, and its acknowledgements.
#[derive(Default)]
pub(in crate::write) struct Device {
    pub(in crate::write) registration: Registration,
    /// The number up to which all entries are acknowledged.
    pub(in crate::write) cursor: u64,
    /// The number of the highest entry that was acknowledged individually before this segment.
    pub(in crate::write) highest_acked: Option<u64>,
    /// The numbers of the entries that this segment acknowledges individually.
    pub(in crate::write) newly_acked: BTreeSet<u64>,
    /// The entries that were not acknowledged before this segment and block the cursor, as many as
    /// the segment needs: see `load/devices.rs`. The key is the entry's number. The value is the
    /// number of the highest entry below it that was acknowledged individually before this segment.
    pub(in crate::write) unacknowledged: BTreeMap<u64, Option<u64>>,
    /// The time at which this segment registers the device; `None` for a stored device.
    pub(in crate::write) registered_at: Option<Timestamp>,
    /// Whether the segment changed the cursor or acknowledged entries individually.
    pub(in crate::write) is_changed: bool,
}

/// A new inbox entry.
pub(in crate::write) struct Entry {
    pub(in crate::write) user: UserId,
    pub(in crate::write) seq: InboxSeq,
    pub(in crate::write) at: Timestamp,
    pub(in crate::write) origin: Option<DeviceId>,
    pub(in crate::write) addressee: Option<Registration>,
    pub(in crate::write) content: Content,
}

/// The content of an inbox entry, in the form in which the table `inbox` stores it.
pub(in crate::write) enum Content {
    /// A reference to a message.
    Message(ConversationId, ServerSequence),
    /// An encoded notice.
    Notice(Vec<u8>),
}
