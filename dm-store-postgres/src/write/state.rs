//! [`BatchState`], the rows that a segment concerns, in memory. A segment is a part of a batch. Its
//! rows are loaded under locks, changed by one write after another, and then written to the
//! database.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dm_core::notify::Notification;
use dm_core::store::{
    ClientMessageId, Conversation, ConversationId, DeviceId, Event, InboxEntry, InboxSeq, KeyRecord, Message,
    MessageId, Participants, Principal, Refusal, ServerSequence, Timestamp, UserId,
};

/// The rows of a segment. After its writes are applied, they have the values that the segment
/// stores.
#[derive(Default)]
pub(super) struct BatchState {
    /// The users whose rows are locked.
    pub(super) users: BTreeMap<UserId, User>,
    /// The conversations that the segment appends to or opens.
    pub(super) conversations: BTreeMap<ConversationId, ConversationHead>,
    /// The ids of `conversations`, by their participants.
    pub(super) by_participants: HashMap<Participants, ConversationId>,
    /// The messages that were sent with a client id that this segment uses, by sender and client
    /// id: stored messages, and those that this segment appends.
    pub(super) sent: HashMap<(UserId, ClientMessageId), SentMessage>,
    /// All devices of the users for whom the segment registers a device or acknowledges entries.
    pub(super) devices: BTreeMap<Principal, Device>,
    /// The inbox numbers of the stored messages that the batch acknowledges by their ids, and of
    /// the messages that it appends. Kept between segments.
    pub(super) inbox_numbers: HashMap<MessageId, InboxNumbers>,
    /// The messages that the segment appends.
    pub(super) messages: Vec<(Arc<Message>, InboxNumbers)>,
    /// The inbox entries that the segment appends.
    pub(super) entries: Vec<Entry>,
    /// The announcements of new keys, by publisher. The value is the count of the publisher's
    /// conversations: the peers of all these conversations get a notice.
    pub(super) announcements: BTreeMap<UserId, u64>,
}

/// The row of a user.
#[derive(Default)]
pub(super) struct User {
    /// The number of the newest inbox entry.
    pub(super) head: InboxSeq,
    /// The head that the row in the database holds. It includes the numbers that this segment
    /// reserved.
    pub(super) head_in_row: InboxSeq,
    /// The number of the newest inbox entry that expired; zero if none has.
    pub(super) floor: InboxSeq,
    /// The time of the oldest entry in the inbox; `None` if the inbox is empty.
    pub(super) oldest_at: Option<Timestamp>,
    /// The count of the user's conversations.
    pub(super) conversations: u64,
    /// The count of the user's registrations of devices, including devices that are forgotten.
    pub(super) registrations: u64,
    pub(super) key: Option<KeyRecord>,
    /// Whether the segment changed anything besides the head and the key.
    pub(super) is_changed: bool,
    /// Whether the segment changed the key.
    pub(super) has_new_key: bool,
}

/// A conversation, and the number and the time of its newest message.
pub(super) struct ConversationHead {
    pub(super) conversation: Conversation,
    /// The number of the newest message.
    pub(super) sequence: ServerSequence,
    /// The number that the row in the database holds. It includes the numbers that this segment
    /// reserved.
    pub(super) sequence_in_row: ServerSequence,
    /// The time of the last message that this segment appended; `None` if it appended none.
    pub(super) last_activity: Option<Timestamp>,
    /// For a conversation that the segment opens: its number among the conversations of the first
    /// participant, and its number among those of the second participant. Otherwise `None`.
    pub(super) new_numbers: Option<(u64, u64)>,
}

/// A stored message that has a client id.
pub(super) struct SentMessage {
    pub(super) message: Arc<Message>,
    /// The number of the message's entry in the sender's inbox.
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
    /// The number of the highest entry that was acknowledged individually before this segment.
    pub(super) highest_acked: Option<u64>,
    /// The numbers of the entries that this segment acknowledges individually.
    pub(super) newly_acked: BTreeSet<u64>,
    /// The entries that were not acknowledged before this segment and block the cursor, as many as
    /// the segment needs: see `load/devices.rs`. The key is the entry's number. The value is the
    /// number of the highest entry below it that was acknowledged individually before this segment.
    pub(super) unacknowledged: BTreeMap<u64, Option<u64>>,
    /// For a device that the segment registers: its number among the user's registrations, and the
    /// time of its registration. Otherwise `None`.
    pub(super) registered_as: Option<(u64, Timestamp)>,
    /// Whether the segment changed the cursor or acknowledged entries individually.
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

/// The content of an inbox entry, in the form in which the table `inbox` stores it.
pub(super) enum Content {
    /// A reference to a message.
    Message(ConversationId, ServerSequence),
    /// An encoded notice.
    Notice(Vec<u8>),
}

/// The reason why a write is not applied.
pub(super) enum Stop {
    /// The write is refused. It changed nothing, and the batch continues with the next write.
    Refused(Refusal),
    /// Another transaction added a row that the write needs, after the rows to lock were chosen.
    /// The batch is tried again.
    Retry,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl BatchState {
    /// Discards the rows of the previous segment, except the inbox numbers of messages.
    pub(super) fn start_segment(&mut self) {
        let inbox_numbers = std::mem::take(&mut self.inbox_numbers);
        *self = Self { inbox_numbers, ..Self::default() };
    }

    /// The row of a user, or [`Stop::Retry`] if it is not locked.
    pub(super) fn user(&mut self, user: UserId) -> Result<&mut User, Stop> {
        self.users.get_mut(&user).ok_or(Stop::Retry)
    }

    /// Appends an entry to a user's inbox. `content` is for the entry's row, and `event` is for the
    /// notification that is returned. Both must be about the same message or notice.
    ///
    /// # Errors
    /// [`Stop::Retry`] if the user's row is not locked.
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
