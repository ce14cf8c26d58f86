//! The state that a store must have, in plain maps, written from the contract.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dm_core::store::{
    Conversation, ConversationId, CursorProof, DeviceId, Event, Gate, InboxEntry, InboxSeq, Message,
    MessageId, Notification, Participants, Principal, Record, RecordKey, Registration, Revisions, Timestamp,
    UserGate, UserId,
};

/// The state that a store must have after its writes.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub(super) users: BTreeMap<UserId, UserState>,
    pub(super) conversations: BTreeMap<ConversationId, ConversationLog>,
    pub(super) records: BTreeMap<RecordKey, Record>,
    pub(super) gates: BTreeMap<Participants, Gate>,
}

/// A user.
#[derive(Clone, Debug, Default)]
pub(super) struct UserState {
    /// The held entries of the inbox, by number.
    pub(super) entries: BTreeMap<u64, InboxEntry>,
    /// The number of the newest entry, held or expired.
    pub(super) head: u64,
    /// The proof of the newest expired entry.
    pub(super) floor_proof: Option<CursorProof>,
    pub(super) revisions: Revisions,
    pub(super) gate: UserGate,
    /// The number of registrations so far.
    pub(super) registrations: u64,
    /// The devices, in the order of their registration.
    pub(super) devices: Vec<Device>,
}

/// A device.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) name: DeviceId,
    pub(super) cursor: u64,
    pub(super) registered_at: Timestamp,
    pub(super) registration: Registration,
    /// The acknowledged entries above the cursor.
    pub(super) marks: BTreeSet<u64>,
}

/// A conversation.
#[derive(Clone, Debug)]
pub(super) struct ConversationLog {
    pub(super) conversation: Conversation,
    pub(super) sent: Vec<StoredMessage>,
}

/// A message, and its number in each of the two inboxes.
#[derive(Clone, Debug)]
pub(super) struct StoredMessage {
    pub(super) message: Arc<Message>,
    pub(super) numbers: BTreeMap<UserId, u64>,
}

impl UserState {
    /// The number of the newest expired entry.
    pub(super) fn floor(&self) -> u64 {
        self.entries.keys().next().map_or(self.head, |oldest| oldest - 1)
    }

    pub(super) fn device(&self, name: &DeviceId) -> Option<&Device> {
        self.devices.iter().find(|device| device.name == *name)
    }

    /// The number of oldest entries that were queued before a time.
    pub(super) fn old(&self, before: Timestamp) -> usize {
        self.entries.values().take_while(|entry| entry.at < before).count()
    }

    /// Removes the entries of an inbox up to a number.
    pub(super) fn remove_up_to(&mut self, owner: UserId, floor: u64) {
        if let Some(newest) = self.entries.get(&floor) {
            self.floor_proof = Some(newest.proof(owner));
        }
        self.entries.retain(|seq, _| *seq > floor);
    }
}

impl Model {
    /// The newest number of a user's inbox.
    #[must_use]
    pub fn head(&self, user: UserId) -> u64 {
        self.users.get(&user).map_or(0, |person| person.head)
    }

    /// The number of the newest expired entry of a user's inbox.
    #[must_use]
    pub fn floor(&self, user: UserId) -> u64 {
        self.users.get(&user).map_or(0, UserState::floor)
    }

    /// The names of a user's devices.
    pub fn device_names(&self, user: UserId) -> impl Iterator<Item = &DeviceId> {
        self.users.get(&user).into_iter().flat_map(|person| &person.devices).map(|device| &device.name)
    }

    /// The conversations.
    pub fn conversations(&self) -> impl Iterator<Item = &Conversation> {
        self.conversations.values().map(|log| &log.conversation)
    }

    /// The times at which the held entries were queued.
    pub fn queued(&self) -> impl Iterator<Item = Timestamp> {
        self.users.values().flat_map(|person| person.entries.values()).map(|entry| entry.at)
    }

    pub(super) fn sent(&self, id: MessageId) -> Option<&StoredMessage> {
        self.conversations.values().flat_map(|log| &log.sent).find(|sent| sent.message.id == id)
    }

    pub(super) fn person(&mut self, user: UserId) -> &mut UserState {
        self.users.entry(user).or_default()
    }

    pub(super) fn registered(&mut self, who: &Principal) -> Option<&mut Device> {
        self.users.get_mut(&who.user)?.devices.iter_mut().find(|device| device.name == who.device)
    }

    /// Appends an entry to an inbox.
    pub(super) fn put(
        &mut self,
        user: UserId,
        at: Timestamp,
        origin: Option<&DeviceId>,
        addressee: Option<Registration>,
        event: Event,
    ) -> Notification {
        let person = self.person(user);
        person.head += 1;
        let (seq, origin) = (InboxSeq::new(person.head), origin.cloned());
        let entry = InboxEntry { seq, at, origin, addressee, event };
        person.entries.insert(person.head, entry.clone());
        Notification { user, entry }
    }
}
