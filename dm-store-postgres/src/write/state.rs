//! The rows that a segment concerns, in memory: loaded under locks, changed by one decision after
//! another, then flushed with one statement for each table.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dm_core::notify::Notification;
use dm_core::store::{
    ClientMessageId, Conversation, ConversationId, DeviceId, Event, InboxEntry, InboxSeq, KeyRecord, Message,
    MessageId, Participants, Principal, Refusal, ServerSequence, Timestamp, UserId,
};

/// The rows of a segment, as they will be after it.
#[derive(Default)]
pub(super) struct BatchState {
    /// Users whose rows are locked.
    pub(super) users: BTreeMap<UserId, User>,
    /// Conversations that the segment appends to or opens.
    pub(super) conversations: BTreeMap<ConversationId, ConversationHead>,
    /// The ids of `conversations`, by their participants.
    pub(super) by_participants: HashMap<Participants, ConversationId>,
    /// Stored messages that were sent under a client id of this segment, by sender and client id.
    pub(super) sent: HashMap<(UserId, ClientMessageId), SentMessage>,
    /// Devices of the users for whom the segment registers a device or acknowledges.
    pub(super) devices: BTreeMap<Principal, Device>,
    /// The inbox entries of messages that are acknowledged by their ids. Kept between segments.
    pub(super) inbox_numbers: HashMap<MessageId, InboxNumbers>,
    /// New messages.
    pub(super) messages: Vec<(Arc<Message>, InboxNumbers)>,
    /// New inbox entries.
    pub(super) entries: Vec<Entry>,
    /// Announcements of new keys, by publisher: the peers of the publisher's conversations up to
    /// this number get a notice.
    pub(super) announcements: BTreeMap<UserId, u64>,
}

/// The row of a user.
#[derive(Default)]
pub(super) struct User {
    /// The number of the newest inbox entry.
    pub(super) head: InboxSeq,
    /// The number that the row holds: above `head` by the numbers that are reserved.
    pub(super) head_in_row: InboxSeq,
    /// The number of the newest inbox entry that expired.
    pub(super) floor: InboxSeq,
    /// The time of the oldest entry in the inbox.
    pub(super) oldest_at: Option<Timestamp>,
    /// Conversations of the user.
    pub(super) conversations: u64,
    /// Devices that were ever registered.
    pub(super) registrations: u64,
    pub(super) key: Option<KeyRecord>,
    /// Whether anything is changed besides the head and the key.
    pub(super) is_changed: bool,
    pub(super) has_new_key: bool,
}

/// A conversation and its newest numbers.
pub(super) struct ConversationHead {
    pub(super) conversation: Conversation,
    /// The number of the newest message.
    pub(super) sequence: ServerSequence,
    /// The number that the row holds: above `sequence` by the numbers that are reserved.
    pub(super) sequence_in_row: ServerSequence,
    /// The time of the last message that this segment appended.
    pub(super) last_activity: Option<Timestamp>,
    /// For a new conversation, its numbers among the conversations of its first and its second
    /// participant.
    pub(super) opened_as: Option<(u64, u64)>,
}

/// A stored message that has a client id.
pub(super) struct SentMessage {
    pub(super) message: Arc<Message>,
    /// The number of its entry in the sender's inbox.
    pub(super) sender_seq: InboxSeq,
}

/// The numbers of a message's entries in the inboxes of its sender and its recipient.
#[derive(Clone, Copy)]
pub(super) struct InboxNumbers {
    pub(super) sender: UserId,
    pub(super) recipient: UserId,
    pub(super) sender_seq: InboxSeq,
    pub(super) recipient_seq: InboxSeq,
}

/// The row of a device, and its acknowledgements.
#[derive(Default)]
pub(super) struct Device {
    /// The number up to which all entries are acknowledged.
    pub(super) cursor: u64,
    /// The highest entry that was acknowledged individually before this segment.
    pub(super) highest_acked: Option<u64>,
    /// Entries that this segment acknowledges individually.
    pub(super) newly_acked: BTreeSet<u64>,
    /// Entries that were not acknowledged before this segment and block the cursor, as many as can
    /// matter. Each has the highest individually acknowledged entry below it as its value.
    pub(super) unacknowledged: BTreeMap<u64, Option<u64>>,
    /// For a new device, its number among its user's registrations and the time of its own.
    pub(super) registered_as: Option<(u64, Timestamp)>,
    pub(super) is_changed: bool,
}

/// A new inbox entry.
pub(super) struct Entry {
    pub(super) user: UserId,
    pub(super) seq: InboxSeq,
    pub(super) at: Timestamp,
    pub(super) origin: Option<DeviceId>,
    pub(super) content: Content,
}

/// The content of an entry, as its row holds it.
pub(super) enum Content {
    /// A reference to a message.
    Message(ConversationId, ServerSequence),
    /// An encoded notice.
    Notice(Vec<u8>),
}

/// The reason why a write is not applied.
pub(super) enum Stop {
    /// The write is refused: it changed nothing, and the batch goes on.
    Refused(Refusal),
    /// A row that the write needs appeared after the locks were taken; the batch is tried again.
    Again,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl BatchState {
    /// Drops the rows of the previous segment, except the inbox numbers of acknowledged messages.
    pub(super) fn start_segment(&mut self) {
        let inbox_numbers = std::mem::take(&mut self.inbox_numbers);
        *self = Self { inbox_numbers, ..Self::default() };
    }

    /// The row of a user, or [`Stop::Again`] if it is not locked.
    pub(super) fn user(&mut self, user: UserId) -> Result<&mut User, Stop> {
        self.users.get_mut(&user).ok_or(Stop::Again)
    }

    /// Appends an entry to the inbox of a user whose row is locked.
    pub(super) fn append_entry(
        &mut self,
        owner: UserId,
        at: Timestamp,
        origin: Option<DeviceId>,
        content: Content,
        event: Event,
    ) -> Result<Notification, Stop> {
        let user = self.user(owner)?;
        let seq = user.head.next();
        user.head = seq;
        if user.oldest_at.is_none() {
            (user.oldest_at, user.is_changed) = (Some(at), true);
        }
        self.entries.push(Entry { user: owner, seq, at, origin: origin.clone(), content });
        Ok(Notification { user: owner, entry: InboxEntry { seq, at, origin, event } })
    }
}
