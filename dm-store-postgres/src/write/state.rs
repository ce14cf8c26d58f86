//! What a batch knows and changes, in memory: read under locks, decided one write after another, then written at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dm_core::notify::Notification;
use dm_core::store::{
    ClientMessageId, Conversation, ConversationId, DeviceId, Event, InboxEntry, InboxSeq, KeyRecord, Message,
    MessageId, Outcome, Participants, Principal, Refusal, ServerSequence, Timestamp, UserId, Write,
};

/// The rows a run of writes is about, as they will be.
#[derive(Default)]
pub(super) struct BatchState {
    /// Those whose rows are locked.
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) conversations: BTreeMap<ConversationId, ConversationHead>,
    pub(super) by_participants: HashMap<Participants, ConversationId>,
    /// What client ids of this run stand for.
    pub(super) sent: HashMap<(UserId, ClientMessageId), SentMessage>,
    pub(super) devices: BTreeMap<Principal, Device>,
    /// Where messages stand that are acknowledged by their ids. Kept from run to run.
    pub(super) inbox_numbers: HashMap<MessageId, InboxNumbers>,
    /// Messages that are new in this run, and entries.
    pub(super) messages: Vec<(Arc<Message>, InboxNumbers)>,
    pub(super) entries: Vec<Entry>,
    /// Publishers whose peers are to be told, and up to which of their conversations.
    pub(super) announcements: BTreeMap<UserId, u64>,
}

/// A user.
#[derive(Default)]
pub(super) struct User {
    pub(super) head: InboxSeq,
    /// What the row says: ahead of `head` by what is reserved.
    pub(super) head_in_row: InboxSeq,
    pub(super) floor: InboxSeq,
    pub(super) oldest_at: Option<Timestamp>,
    pub(super) conversations: u64,
    pub(super) registrations: u64,
    pub(super) key: Option<KeyRecord>,
    /// Whether anything but the head and the key is.
    pub(super) is_changed: bool,
    pub(super) has_new_key: bool,
}

/// A conversation.
pub(super) struct ConversationHead {
    pub(super) conversation: Conversation,
    pub(super) sequence: ServerSequence,
    /// What the row says: ahead of `head` by what is reserved.
    pub(super) sequence_in_row: ServerSequence,
    /// When this run appended to it.
    pub(super) last_activity: Option<Timestamp>,
    /// Its numbers among the conversations of its users, if it is new.
    pub(super) opened_as: Option<(u64, u64)>,
}

/// A message under a client id.
pub(super) struct SentMessage {
    pub(super) message: Arc<Message>,
    pub(super) sender_seq: InboxSeq,
}

/// Where a message stands in the two inboxes.
#[derive(Clone, Copy)]
pub(super) struct InboxNumbers {
    pub(super) sender: UserId,
    pub(super) recipient: UserId,
    pub(super) sender_seq: InboxSeq,
    pub(super) recipient_seq: InboxSeq,
}

/// A device.
#[derive(Default)]
pub(super) struct Device {
    pub(super) cursor: u64,
    /// The highest entry that was acknowledged individually before this run.
    pub(super) highest_acked: Option<u64>,
    /// Entries that this run acknowledges individually.
    pub(super) newly_acked: BTreeSet<u64>,
    /// Entries that were not acknowledged before this run and keep the cursor from moving on; as many as can matter. With
    /// each the highest one below it that was acknowledged.
    pub(super) unacknowledged: BTreeMap<u64, Option<u64>>,
    /// Its number among its user's registrations and its time, if it is new.
    pub(super) registered_as: Option<(u64, Timestamp)>,
    pub(super) is_changed: bool,
}

/// An entry to be written.
pub(super) struct Entry {
    pub(super) user: UserId,
    pub(super) seq: InboxSeq,
    pub(super) at: Timestamp,
    pub(super) origin: Option<DeviceId>,
    pub(super) content: Content,
}

/// What an entry points to.
pub(super) enum Content {
    Message(ConversationId, ServerSequence),
    Notice(Vec<u8>),
}

/// Why a write stopped.
pub(super) enum Stop {
    /// It is refused: it changed nothing, and the batch goes on.
    Refused(Refusal),
    /// A row that it needs appeared after the locks were taken.
    Again,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl BatchState {
    /// Decides one write, as if all before it were done.
    pub(super) fn apply(&mut self, write: &Write) -> Result<Outcome, Stop> {
        match write {
            Write::PublishKey(write) => self.publish_key(write),
            Write::OpenConversation(write) => self.open_conversation(write),
            Write::AppendMessage(write) => self.append_message(write),
            Write::Acknowledge(write) => self.acknowledge(write),
            Write::RegisterDevice(write) => self.register_device(write),
            _ => Err(Refusal::Unsupported.into()),
        }
    }

    /// A user whose row is locked.
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
