//! Writes. Each makes all checks before its first change (clause 4). Replaying a write has the same
//! result, because it contains its time and ids.

use std::sync::Arc;

use dm_core::store::*;

use super::{Device, MessageRows, Tables};

impl Tables {
    pub(crate) fn apply(&mut self, write: Write) -> Outcome {
        match write {
            Write::PublishKey(write) => Ok(self.publish_key(&write)),
            Write::AnnounceKeys(write) => Ok(self.announce_keys(&write)),
            Write::OpenConversation(write) => Ok(self.open_conversation(&write)),
            Write::AppendMessage(write) => self.append_message(write),
            Write::Acknowledge(write) => self.acknowledge(&write),
            Write::RegisterDevice(write) => self.register_device(&write),
            Write::ForgetDevice(write) => Ok(self.forget_device(&write.who)),
            Write::Expire(write) => Ok(self.expire(&write)),
            _ => Err(Refusal::Unsupported),
        }
        .unwrap_or_else(Outcome::Refused)
    }

    fn publish_key(&mut self, write: &PublishKey) -> Outcome {
        let user = write.user;
        let (record, changed) = write.record_after(self.keys.get(&user).copied());
        self.keys.insert(user, record);
        let last = self.conversations_of(user).next_back().map(|(last, _)| last);
        if let Some(last) = last.filter(|_| changed) {
            self.announcements.insert(user, 0..last + 1);
        }
        Outcome::KeyPublished { record, changed }
    }

    fn announce_keys(&mut self, write: &AnnounceKeys) -> Outcome {
        let mut appended = Vec::new();
        while appended.len() < write.limit
            && let Some(mut publication) = self.announcements.first_entry()
        {
            let publisher = *publication.key();
            let Some(number) = publication.get_mut().next() else {
                publication.remove();
                continue;
            };
            if publication.get().is_empty() {
                publication.remove();
            }
            let conversation =
                self.opened.get(&(publisher, number)).and_then(|id| self.conversations.get(id));
            let peer = conversation.and_then(|conversation| conversation.participants.peer_of(publisher));
            if let (Some(peer), Some(record)) = (peer, self.keys.get(&publisher)) {
                let notice = Event::Notice(Notice::PeerKeyChanged(*record));
                appended.push(self.append_entry(peer, write.at, None, notice));
            }
        }
        Outcome::KeysAnnounced { appended, more: !self.announcements.is_empty() }
    }

    /// Clause 10: the pair of users is the key, so there is one conversation.
    fn open_conversation(&mut self, write: &OpenConversation) -> Outcome {
        let open = self.pairs.get(&write.participants).and_then(|id| self.conversations.get(id));
        if let Some(conversation) = open {
            return Outcome::ConversationOpened {
                conversation: *conversation,
                created: false,
                appended: Vec::new(),
            };
        }
        let conversation =
            Conversation { id: write.id, participants: write.participants, opened_at: write.at };
        self.pairs.insert(write.participants, write.id);
        self.conversations.insert(write.id, conversation);
        let mut appended = Vec::new();
        for user in [write.participants.a(), write.participants.b()] {
            let number = self.conversations_of(user).next_back().map_or(0, |(last, _)| last + 1);
            self.opened.insert((user, number), write.id);
            let origin = (user == write.opener.user).then(|| write.opener.device.clone());
            let notice = Event::Notice(Notice::ConversationOpened(conversation));
            appended.push(self.append_entry(user, write.at, origin, notice));
        }
        Outcome::ConversationOpened { conversation, created: true, appended }
    }

    fn append_message(&mut self, write: AppendMessage) -> Result<Outcome, Refusal> {
        let sender = write.sender.user;
        let conversation = self.conversations.get(&write.conversation).ok_or(Refusal::NotFound)?;
        let recipient = conversation.participants.peer_of(sender).ok_or(Refusal::NotFound)?;
        // Clause 11 comes before clause 12: a retry stays a retry, also after a key was published.
        let sent = write.client_id.and_then(|id| self.client_ids.get(&(sender, id)));
        if let Some(rows) = sent.and_then(|id| self.message_rows.get(id)) {
            return write.retry_answer(Arc::clone(&rows.message), rows.sender_seq);
        }
        write.check_key(self.key(recipient))?;

        // Clause 13: the conversation, the sender's inbox and the recipient's inbox.
        let last = self.messages_of(write.conversation).next_back().map(|message| message.sequence);
        let (at, device) = (write.at, write.sender.device.clone());
        let message = Arc::new(write.into_message(last.unwrap_or_default().next()));
        let event = || Event::Message(Arc::clone(&message));
        let sent = self.append_entry(sender, at, Some(device), event());
        let received = self.append_entry(recipient, at, None, event());
        let (sender_seq, recipient_seq) = (sent.entry.seq, received.entry.seq);
        self.messages.insert((message.conversation, message.sequence), Arc::clone(&message));
        let rows = MessageRows { message: Arc::clone(&message), sender_seq, recipient, recipient_seq };
        self.message_rows.insert(message.id, rows);
        if let Some(client_id) = message.client_id {
            self.client_ids.insert((sender, client_id), message.id);
        }
        let appended = vec![sent, received];
        Ok(Outcome::MessageAppended(Appended { message, sender_seq, repeated: false, appended }))
    }

    /// Clause 14.
    fn acknowledge(&mut self, write: &Acknowledge) -> Result<Outcome, Refusal> {
        let who = &write.who;
        let cursor = self.devices.get(who).ok_or(Refusal::UnknownDevice)?.cursor;
        let state = AckState { cursor, head: self.head(who.user), floor: self.floor(who.user) };
        let entry_about = |id| Ok::<_, Refusal>(self.entry_about(who.user, &id));
        let AckDecision { done, marks } = write.decide(state, entry_about)?;
        self.acknowledged.extend(marks.into_iter().map(|seq| (who.clone(), seq)));
        Ok(Outcome::Acknowledged(Acknowledged { cursor: self.advance_cursor(who, done.cursor), ..done }))
    }

    /// The number of the user's entry with a message; zero if there is none.
    fn entry_about(&self, user: UserId, id: &MessageId) -> InboxSeq {
        match self.message_rows.get(id) {
            Some(rows) if rows.message.sender == user => rows.sender_seq,
            Some(rows) if rows.recipient == user => rows.recipient_seq,
            _ => InboxSeq::ZERO,
        }
    }

    /// Moves a cursor up to the last acknowledged entry before the first message that the device
    /// still has to receive. Deletes the marks of single entries up to there.
    fn advance_cursor(&mut self, who: &Principal, mut cursor: InboxSeq) -> InboxSeq {
        if let Some(last) = self.acknowledged_by(who).next_back() {
            for entry in self.entries_after(who.user, cursor).take_while(|entry| entry.seq <= last) {
                if self.acknowledged.contains(&(who.clone(), entry.seq)) {
                    cursor = entry.seq;
                } else if entry.message().is_some() && entry.origin.as_ref() != Some(&who.device) {
                    break;
                }
            }
        }
        self.acknowledged.retain(|(device, seq)| device != who || *seq > cursor);
        if let Some(device) = self.devices.get_mut(who) {
            device.cursor = cursor;
        }
        cursor
    }

    fn register_device(&mut self, write: &RegisterDevice) -> Result<Outcome, Refusal> {
        let user = write.who.user;
        if let Some(device) = self.devices.get(&write.who) {
            return Ok(Outcome::DeviceRegistered { cursor: device.cursor });
        }
        let devices = self.devices_of(user).count();
        let cursor = write.new_device_cursor(devices, self.floor(user), self.head(user))?;
        let number = self.devices_of(user).map(|(_, device)| device.number + 1).max().unwrap_or_default();
        self.devices.insert(write.who.clone(), Device { number, cursor, registered_at: write.at });
        Ok(Outcome::DeviceRegistered { cursor })
    }

    fn forget_device(&mut self, who: &Principal) -> Outcome {
        self.acknowledged.retain(|(device, _)| device != who);
        Outcome::DeviceForgotten { existed: self.devices.remove(who).is_some() }
    }

    /// Clause 15. The floors keep numbers unique (clause 8) after all entries of an inbox expired.
    fn expire(&mut self, write: &Expire) -> Outcome {
        let (mut expired, mut more, mut kept) = (Vec::new(), false, None);
        for ((user, seq), entry) in &self.inbox {
            // An entry that stays keeps all later ones of its inbox.
            if kept == Some(*user) || entry.at >= write.before {
                kept = Some(*user);
            } else if expired.len() == write.limit {
                more = true;
                break;
            } else {
                expired.push((*user, *seq));
            }
        }
        for key in &expired {
            self.inbox.remove(key);
            self.floors.insert(key.0, key.1);
        }
        self.acknowledged.retain(|(who, seq)| self.floors.get(&who.user).is_none_or(|floor| seq > floor));
        Outcome::Expired { entries: expired.len(), more }
    }

    /// Clause 7: the next number is one above the newest that was ever given.
    fn append_entry(
        &mut self,
        user: UserId,
        at: Timestamp,
        origin: Option<DeviceId>,
        event: Event,
    ) -> Notification {
        let entry = InboxEntry { seq: self.head(user).next(), at, origin, event };
        self.inbox.insert((user, entry.seq), entry.clone());
        Notification { user, entry }
    }
}
