//! Writes of the store in memory. Each write makes all its checks before its first change, because
//! a refused write must change nothing.

use std::sync::Arc;

use super::{Announcement, ConversationLog, Device, State, StoredMessage, UserState};
use crate::conversation::Conversation;
use crate::device::DeviceId;
use crate::inbox::Notification;
use crate::inbox::{Event, InboxEntry, Notice};
use crate::numbers::{InboxSeq, ServerSequence};
use crate::store::decisions::{AckDecision, AckState};
use crate::store::write::{
    Acknowledge, Acknowledged, AnnounceKeys, AppendMessage, Appended, Expire, ForgetDevice, OpenConversation,
    Outcome, PublishKey, Refusal, RegisterDevice, Write,
};
use crate::time::Timestamp;
use crate::user::UserId;

impl State {
    /// Applies one write, with the method for its kind.
    pub(super) fn apply(&mut self, write: Write) -> Result<Outcome, Refusal> {
        match write {
            Write::PublishKey(write) => Ok(self.publish_key(&write)),
            Write::AnnounceKeys(write) => Ok(self.announce_keys(&write)),
            Write::OpenConversation(write) => Ok(self.open_conversation(&write)),
            Write::AppendMessage(write) => self.append_message(write),
            Write::Acknowledge(write) => self.acknowledge(&write),
            Write::RegisterDevice(write) => self.register_device(write),
            Write::ForgetDevice(write) => Ok(self.forget_device(&write)),
            Write::Expire(write) => Ok(self.expire(&write)),
        }
    }

    fn publish_key(&mut self, write: &PublishKey) -> Outcome {
        let user = self.users.entry(write.user).or_default();
        let (record, changed) = write.record_after(user.key);
        user.key = Some(record);
        if changed && !user.conversations.is_empty() {
            self.announcements.insert(write.user, Announcement { next: 0, end: user.conversations.len() });
        }
        Outcome::KeyPublished { record, changed }
    }

    fn announce_keys(&mut self, write: &AnnounceKeys) -> Outcome {
        let mut appended = Vec::new();
        while appended.len() < write.limit
            && let Some((&publisher, announcement)) = self.announcements.iter_mut().next()
        {
            let user = self.users.entry(publisher).or_default();
            let step = (write.limit - appended.len()).min(announcement.end - announcement.next);
            let peers: Vec<UserId> = user
                .conversations
                .iter()
                .skip(announcement.next)
                .take(step)
                .filter_map(|id| self.conversations.get(id)?.conversation.participants.peer_of(publisher))
                .collect();
            let record = user.key;
            announcement.next += step;
            if announcement.next == announcement.end {
                self.announcements.remove(&publisher);
            }
            for (peer, record) in peers.into_iter().zip(std::iter::repeat(record)) {
                if let Some(record) = record {
                    let notice = Event::Notice(Notice::PeerKeyChanged(record));
                    appended.push(self.append_entry(peer, write.at, None, notice));
                }
            }
        }
        Outcome::KeysAnnounced { appended, more: !self.announcements.is_empty() }
    }

    fn open_conversation(&mut self, write: &OpenConversation) -> Outcome {
        let existing = self.pairs.get(&write.participants).and_then(|id| self.conversations.get(id));
        if let Some(log) = existing {
            return Outcome::ConversationOpened {
                conversation: log.conversation,
                created: false,
                appended: Vec::new(),
            };
        }
        let participants = write.participants;
        let conversation = Conversation { id: write.id, participants, opened_at: write.at };
        self.pairs.insert(participants, write.id);
        self.conversations.insert(write.id, ConversationLog { conversation, messages: Vec::new() });
        let appended = [participants.a(), participants.b()]
            .map(|user| {
                self.users.entry(user).or_default().conversations.push(write.id);
                let origin = (user == write.opener.user).then(|| write.opener.device.clone());
                self.append_entry(
                    user,
                    write.at,
                    origin,
                    Event::Notice(Notice::ConversationOpened(conversation)),
                )
            })
            .into();
        Outcome::ConversationOpened { conversation, created: true, appended }
    }

    fn append_message(&mut self, write: AppendMessage) -> Result<Outcome, Refusal> {
        let log = self.conversations.get(&write.conversation).ok_or(Refusal::NotFound)?;
        let sender = write.sender.user;
        let recipient = log.conversation.participants.peer_of(sender).ok_or(Refusal::NotFound)?;
        let stored_id = write.client_id.and_then(|id| self.client_ids.get(&(sender, id)));
        if let Some(stored) = stored_id.and_then(|id| self.messages.get(id)) {
            return write.retry_answer(Arc::clone(&stored.message), stored.sender_seq);
        }
        write.check_key(self.users.get(&recipient).and_then(|user| user.key))?;

        let Some(log) = self.conversations.get_mut(&write.conversation) else {
            return Err(Refusal::NotFound);
        };
        let (at, device) = (write.at, write.sender.device.clone());
        let message = Arc::new(write.into_message(ServerSequence::new(log.messages.len() as u64 + 1)));
        log.messages.push(Arc::clone(&message));
        let event = || Event::Message(Arc::clone(&message));
        let sent = self.append_entry(sender, at, Some(device), event());
        let received = self.append_entry(recipient, at, None, event());
        let (sender_seq, recipient_seq) = (sent.entry.seq, received.entry.seq);
        if let Some(client_id) = message.client_id {
            self.client_ids.insert((sender, client_id), message.id);
        }
        self.messages.insert(
            message.id,
            StoredMessage { message: Arc::clone(&message), sender_seq, recipient_seq, recipient },
        );
        let appended = vec![sent, received];
        Ok(Outcome::MessageAppended(Appended { message, sender_seq, repeated: false, appended }))
    }

    fn acknowledge(&mut self, write: &Acknowledge) -> Result<Outcome, Refusal> {
        let who = &write.who;
        let user = self.users.get_mut(&who.user).ok_or(Refusal::UnknownDevice)?;
        let (head, floor) = (user.head(), InboxSeq::new(user.floor));
        let device = user.devices.get_mut(&who.device).ok_or(Refusal::UnknownDevice)?;
        let entry_about = |id| match self.messages.get(&id) {
            Some(stored) if stored.message.sender == who.user => Ok(stored.sender_seq),
            Some(stored) if stored.recipient == who.user => Ok(stored.recipient_seq),
            _ => Ok(InboxSeq::ZERO),
        };
        let state = AckState { cursor: device.cursor, head, floor };
        let AckDecision { done, marks } = write.decide::<Refusal>(state, entry_about)?;
        device.cursor = done.cursor;
        device.acknowledged.extend(marks);
        Ok(Outcome::Acknowledged(Acknowledged { cursor: user.advance_cursor(&who.device), ..done }))
    }

    fn register_device(&mut self, write: RegisterDevice) -> Result<Outcome, Refusal> {
        let user = self.users.entry(write.who.user).or_default();
        if let Some(device) = user.devices.get(&write.who.device) {
            return Ok(Outcome::DeviceRegistered { cursor: device.cursor });
        }
        let cursor = write.new_device_cursor(user.devices.len(), InboxSeq::new(user.floor), user.head())?;
        user.registered.push(write.who.device.clone());
        let device = Device { cursor, registered_at: write.at, acknowledged: Default::default() };
        user.devices.insert(write.who.device, device);
        Ok(Outcome::DeviceRegistered { cursor })
    }

    fn forget_device(&mut self, write: &ForgetDevice) -> Outcome {
        let Some(user) = self.users.get_mut(&write.who.user) else {
            return Outcome::DeviceForgotten { existed: false };
        };
        user.registered.retain(|device| *device != write.who.device);
        Outcome::DeviceForgotten { existed: user.devices.remove(&write.who.device).is_some() }
    }

    fn expire(&mut self, write: &Expire) -> Outcome {
        let mut entries = 0;
        let mut more = false;
        for user in self.users.values_mut() {
            while user.entries.front().is_some_and(|entry| entry.at < write.before) {
                if entries == write.limit {
                    more = true;
                    break;
                }
                user.entries.pop_front();
                user.floor += 1;
                entries += 1;
            }
            let floor = InboxSeq::new(user.floor);
            for device in user.devices.values_mut() {
                device.acknowledged = device.acknowledged.split_off(&floor.next());
            }
        }
        Outcome::Expired { entries, more }
    }

    /// Appends an entry to the inbox of `owner`, with the next number. Returns its hint.
    fn append_entry(
        &mut self,
        owner: UserId,
        at: Timestamp,
        origin: Option<DeviceId>,
        event: Event,
    ) -> Notification {
        let user = self.users.entry(owner).or_default();
        let entry = InboxEntry { seq: user.head().next(), at, origin, event };
        user.entries.push_back(entry.clone());
        Notification { user: owner, entry }
    }
}

impl UserState {
    /// Advances a device's cursor over the acknowledged entries that follow it, and removes their
    /// marks. Returns the new cursor.
    ///
    /// Below an acknowledged entry the cursor also advances over the device's own entries, over
    /// notices and over expired entries. A client that acknowledges by message id does not name
    /// these entries. A session delivers entries in order, so none of them is delivered after the
    /// acknowledged entry.
    fn advance_cursor(&mut self, id: &DeviceId) -> InboxSeq {
        let Some(device) = self.devices.get(id) else { return InboxSeq::ZERO };
        let mut cursor = device.cursor;
        if device.acknowledged.iter().next_back().is_some_and(|last| *last > cursor) {
            for entry in self.entries_after(device.cursor) {
                let is_own = entry.origin.as_ref() == Some(id);
                if device.acknowledged.contains(&entry.seq) {
                    cursor = entry.seq;
                } else if !is_own && matches!(entry.event, Event::Message(_)) {
                    break;
                }
            }
        }
        if let Some(device) = self.devices.get_mut(id) {
            device.acknowledged = device.acknowledged.split_off(&cursor.next());
            device.cursor = cursor;
        }
        cursor
    }
}
