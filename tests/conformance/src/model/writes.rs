//! The model of writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use dm_core::store::{
    AnnounceKeys, AppendMessage, Appended, Conversation, DeviceStart, Event, Expire, ForgetDevice, InboxSeq,
    KeyRecord, KeyVersion, Message, Notice, OpenConversation, Outcome, PublishKey, Refusal, RegisterDevice,
    ServerSequence, UserId, Write,
};

use super::state::{ConversationLog, Device, Model, StoredMessage};

impl Model {
    /// Applies a write and returns the allowed outcomes. If the contract leaves a choice of the
    /// result, this makes the first one; [`check`](Self::check) makes that of the store.
    ///
    /// # Panics
    /// Panics for a kind of write that this version of the contract does not know.
    pub fn apply(&mut self, write: &Write) -> Vec<Outcome> {
        let outcome = match write {
            Write::Acknowledge(write) => return self.acknowledge(write),
            Write::Expire(write) => return self.expire(write),
            Write::PublishKey(write) => self.publish(write),
            Write::AnnounceKeys(write) => self.announce(write),
            Write::OpenConversation(write) => self.open(write),
            Write::AppendMessage(write) => self.append(write).unwrap_or_else(Outcome::Refused),
            Write::RegisterDevice(write) => self.register(write),
            Write::ForgetDevice(write) => self.forget(write),
            unknown => panic!("a kind of write that this contract does not know: {unknown:?}"),
        };
        vec![outcome]
    }

    fn publish(&mut self, write: &PublishKey) -> Outcome {
        let current = self.person(write.user).key;
        if let Some(record) = current
            && record.key == write.key
        {
            return Outcome::KeyPublished { record, changed: false };
        }
        let record = KeyRecord {
            user: write.user,
            key: write.key,
            version: current.map_or(KeyVersion::FIRST, |current| current.version.next()),
            published_at: write.at,
            binding: write.binding,
        };
        self.person(write.user).key = Some(record);
        let peers: Vec<UserId> =
            self.conversations().filter_map(|log| log.participants.peer_of(write.user)).collect();
        self.untold.extend(peers.into_iter().map(|peer| (write.user, peer)));
        Outcome::KeyPublished { record, changed: true }
    }

    fn announce(&mut self, write: &AnnounceKeys) -> Outcome {
        let told: Vec<_> = self.untold.iter().copied().take(write.limit).collect();
        let appended = told
            .into_iter()
            .map(|(publisher, peer)| self.tell(publisher, peer, write).expect("they are to be told"))
            .collect();
        Outcome::KeysAnnounced { appended, more: !self.untold.is_empty() }
    }

    /// Tells a peer of the publisher's current key; `None` if the peer has nothing to be told.
    pub(super) fn tell(
        &mut self,
        publisher: UserId,
        peer: UserId,
        write: &AnnounceKeys,
    ) -> Option<dm_core::notify::Notification> {
        self.untold.remove(&(publisher, peer)).then_some(())?;
        let record = self.person(publisher).key?;
        Some(self.put(peer, write.at, None, Event::Notice(Notice::PeerKeyChanged(record))))
    }

    fn open(&mut self, write: &OpenConversation) -> Outcome {
        let open = self.conversations().find(|log| log.participants == write.participants);
        if let Some(conversation) = open {
            let conversation = *conversation;
            return Outcome::ConversationOpened { conversation, created: false, appended: Vec::new() };
        }
        let participants = write.participants;
        let conversation = Conversation { id: write.id, participants, opened_at: write.at };
        self.conversations.insert(write.id, ConversationLog { conversation, sent: Vec::new() });
        let notice = Event::Notice(Notice::ConversationOpened(conversation));
        let mut appended = Vec::new();
        for user in [participants.a(), participants.b()] {
            let origin = (user == write.opener.user).then_some(&write.opener.device);
            appended.push(self.put(user, write.at, origin, notice.clone()));
        }
        Outcome::ConversationOpened { conversation, created: true, appended }
    }

    fn append(&mut self, write: &AppendMessage) -> Result<Outcome, Refusal> {
        let log = self.conversations.get(&write.conversation).ok_or(Refusal::NotFound)?;
        let sender = write.sender.user;
        let recipient = log.conversation.participants.peer_of(sender).ok_or(Refusal::NotFound)?;
        let number = log.sent.len() as u64 + 1;

        if let Some(first) = self.sent_as(write) {
            let StoredMessage { message, numbers } = first;
            let same = message.conversation == write.conversation
                && message.sent_at == write.sent_at
                && message.ciphertext == write.ciphertext;
            return if same {
                Ok(Outcome::MessageAppended(Appended {
                    message: Arc::clone(message),
                    sender_seq: InboxSeq::new(numbers[&sender]),
                    repeated: true,
                    appended: Vec::new(),
                }))
            } else {
                Err(Refusal::ClientIdReused)
            };
        }

        if let Some(version) = write.recipient_key_version {
            let current = self.users.get(&recipient).and_then(|person| person.key);
            if current.map(|current| current.version) != Some(version) {
                return Err(Refusal::StaleKey { current });
            }
        }

        let message = Arc::new(Message {
            id: write.id,
            conversation: write.conversation,
            sequence: ServerSequence::new(number),
            sender,
            client_id: write.client_id,
            sent_at: write.sent_at,
            received_at: write.at,
            ciphertext: write.ciphertext.clone(),
        });
        let event = Event::Message(Arc::clone(&message));
        let sent = self.put(sender, write.at, Some(&write.sender.device), event.clone());
        let received = self.put(recipient, write.at, None, event);
        let sender_seq = sent.entry.seq;
        let numbers = BTreeMap::from([(sender, sender_seq.get()), (recipient, received.entry.seq.get())]);
        if let Some(log) = self.conversations.get_mut(&write.conversation) {
            log.sent.push(StoredMessage { message: Arc::clone(&message), numbers });
        }
        let appended = vec![sent, received];
        Ok(Outcome::MessageAppended(Appended { message, sender_seq, repeated: false, appended }))
    }

    /// The message that the sender sent with this client id before, in any conversation.
    fn sent_as(&self, write: &AppendMessage) -> Option<&StoredMessage> {
        let id = write.client_id?;
        self.conversations
            .values()
            .flat_map(|log| &log.sent)
            .find(|sent| sent.message.sender == write.sender.user && sent.message.client_id == Some(id))
    }

    fn register(&mut self, write: &RegisterDevice) -> Outcome {
        let person = self.person(write.who.user);
        if let Some(device) = person.device(&write.who.device) {
            return Outcome::DeviceRegistered { cursor: InboxSeq::new(device.cursor) };
        }
        if person.devices.len() >= write.limit {
            return Outcome::Refused(Refusal::TooManyDevices);
        }
        let cursor = match write.start {
            DeviceStart::Oldest => person.floor(),
            DeviceStart::Now => person.head,
        };
        person.devices.push(Device {
            name: write.who.device.clone(),
            cursor,
            registered_at: write.at,
            marks: Default::default(),
        });
        Outcome::DeviceRegistered { cursor: InboxSeq::new(cursor) }
    }

    fn forget(&mut self, write: &ForgetDevice) -> Outcome {
        let person = self.person(write.who.user);
        let existed = person.device(&write.who.device).is_some();
        person.devices.retain(|device| device.name != write.who.device);
        Outcome::DeviceForgotten { existed }
    }

    fn expire(&mut self, write: &Expire) -> Vec<Outcome> {
        let mut entries = 0;
        for person in self.users.values_mut() {
            let gone = person.old(write.before).min(write.limit - entries);
            person.remove_up_to(person.floor() + gone as u64);
            entries += gone;
        }
        // A store may answer that there are more entries although there are none, if further steps
        // come to an end.
        let more = self.old(write) > 0;
        let mut allowed = vec![Outcome::Expired { entries, more }];
        if entries > 0 {
            allowed.push(Outcome::Expired { entries, more: true });
        }
        allowed
    }

    /// The number of entries that can expire.
    pub(super) fn old(&self, write: &Expire) -> usize {
        self.users.values().map(|person| person.old(write.before)).sum()
    }
}
