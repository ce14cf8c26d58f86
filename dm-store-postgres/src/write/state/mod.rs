//! [`BatchState`], the rows that a segment concerns, in memory. A segment is a part of a batch. Its
//! rows are loaded under locks, changed by one write after another, and then written to the
//! database.

mod records;
mod rows;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dm_core::store::{
    Answer, ClientMessageId, ConversationId, DeviceId, Event, InboxEntry, Message, MessageId, Notification,
    Participants, Principal, Registration, Stop, Tag, Timestamp, UserId,
};

pub(super) use records::RecordRows;
pub(super) use rows::{Content, ConversationHead, Device, Entry, InboxNumbers, PairGate, SentMessage, User};

/// The rows of a segment. After its writes are applied, they have the values that the segment
/// stores.
#[derive(Default)]
pub(super) struct BatchState {
    /// The users whose rows are locked.
    pub(super) users: BTreeMap<UserId, User>,
    /// The conversations that the segment appends to or opens, and those whose gates it changes.
    pub(super) conversations: BTreeMap<ConversationId, ConversationHead>,
    /// The ids of `conversations`, by their participants.
    pub(super) by_participants: HashMap<Participants, ConversationId>,
    /// The gates of pairs that have no conversation.
    pub(super) gates: HashMap<Participants, PairGate>,
    /// The fences of conversations that the segment changes; `None` for one that it removes.
    pub(super) conversation_fences: BTreeMap<ConversationId, Option<Tag>>,
    /// The messages that were sent with a client id that this segment uses, by sender and client
    /// id: stored messages, and those that this segment appends.
    pub(super) sent: HashMap<(UserId, ClientMessageId), SentMessage>,
    /// All devices of the users for whom the segment registers or forgets a device, acknowledges
    /// entries, or posts an entry to a registration.
    pub(super) devices: BTreeMap<Principal, Device>,
    /// The stored devices that the segment forgets. It may register them again.
    pub(super) forgotten: BTreeSet<Principal>,
    /// The records that the segment reads or changes.
    pub(super) records: RecordRows,
    /// The inbox numbers of the stored messages that the batch acknowledges by their ids, and of
    /// the messages that it appends. Kept between segments.
    pub(super) inbox_numbers: HashMap<MessageId, InboxNumbers>,
    /// The messages that the segment appends.
    pub(super) messages: Vec<(Arc<Message>, InboxNumbers)>,
    /// The inbox entries that the segment appends.
    pub(super) entries: Vec<Entry>,
    /// The answer to the expiry of the segment, after its statements ran.
    pub(super) expired: Option<Answer>,
}

/// Another transaction added a row that a write needs, after the rows to lock were chosen. The batch
/// is tried again.
#[derive(Debug)]
pub(super) struct Retry;

impl BatchState {
    /// Discards the rows of the previous segment, except the inbox numbers of messages.
    pub(super) fn start_segment(&mut self) {
        let inbox_numbers = std::mem::take(&mut self.inbox_numbers);
        *self = Self { inbox_numbers, ..Self::default() };
    }

    /// The row of a user, or [`Retry`] if it is not locked.
    pub(super) fn user(&mut self, user: UserId) -> Result<&mut User, Retry> {
        self.users.get_mut(&user).ok_or(Retry)
    }

    /// The devices of a user, if they are loaded.
    pub(super) fn devices_of(&self, user: UserId) -> impl Iterator<Item = &Device> {
        // The default device is the first one by the order of principals.
        let devices = self.devices.range(Principal::from(user)..);
        devices.take_while(move |(who, _)| who.user == user).map(|(_, device)| device)
    }

    /// Adds an entry to a user's inbox.
    ///
    /// # Errors
    /// [`Retry`] if the user's row is not locked.
    pub(super) fn add_entry(&mut self, owner: UserId, new: NewEntry) -> Result<Notification, Retry> {
        let NewEntry { at, origin, addressee, content, event } = new;
        let user = self.user(owner)?;
        let seq = user.head.next();
        user.head = seq;
        if user.oldest_at.is_none() {
            (user.oldest_at, user.is_changed) = (Some(at), true);
        }
        self.entries.push(Entry { user: owner, seq, at, origin: origin.clone(), addressee, content });
        Ok(Notification { user: owner, entry: InboxEntry { seq, at, origin, addressee, event } })
    }
}

/// An entry to add to an inbox. `content` is for the entry's row, and `event` is for the
/// notification. Both are about the same message or notice.
pub(super) struct NewEntry {
    pub(super) at: Timestamp,
    pub(super) origin: Option<DeviceId>,
    pub(super) addressee: Option<Registration>,
    pub(super) content: Content,
    pub(super) event: Event,
}

/// A write whose checks need rows that are not loaded is tried again.
pub(super) fn stop(Retry: Retry) -> Stop<Retry> {
    Stop::Failed(Retry)
}
