//! Actions. Each has a check, which changes nothing, and a second step, which cannot fail. Replaying
//! a write has the same result, because it contains its time and ids.

use std::sync::Arc;

use dm_core::store::*;

use super::{Device, MessageRows, Tables};

/// An action whose checks have passed, with what the second step needs.
pub(crate) enum Plan {
    None,
    Open(OpenConversation),
    Append(Append),
    Acknowledge(Acknowledge, AckDecision),
    /// The device and the start of its cursor.
    Register(RegisterDevice, InboxSeq),
    Forget(Principal),
    Expire(Expire),
}

pub(crate) struct Append {
    write: AppendMessage,
    pub(super) recipient: UserId,
    sequence: ServerSequence,
    sender_sequence: SenderSequence,
    /// The counts of the conversation with the message.
    counts: Counts,
}

impl Tables {
    pub(super) fn check(&self, action: Action) -> Result<Prepared<Plan>, Refusal> {
        let found = |answer| Ok(Prepared::Found(answer));
        let plan = match action {
            Action::None => Plan::None,
            Action::OpenConversation(write) => {
                // Clause 10: the pair of users is the key, so there is one conversation.
                let open = self.pairs.get(&write.participants).and_then(|id| self.conversations.get(id));
                if let Some(conversation) = open {
                    return found(Answer::ConversationOpened(*conversation));
                }
                self.gate_of(write.participants).check_open()?;
                let opener = write.opener.user;
                for user in [Some(opener), write.participants.peer_of(opener)].into_iter().flatten() {
                    self.user(user).gate.check_open(user)?;
                }
                Plan::Open(write)
            }
            Action::AppendMessage(write) => return self.check_append(write),
            Action::Acknowledge(write) => {
                let cursor = self.devices.get(&write.who).ok_or(Refusal::UnknownDevice)?.cursor;
                let user = write.who.user;
                let state = AckState { cursor, head: self.head(user), floor: self.user(user).floor };
                let decision = write.decide(state, |id| Ok::<_, Refusal>(self.entry_about(user, &id)))?;
                Plan::Acknowledge(write, decision)
            }
            Action::RegisterDevice(write) => {
                if let Some(device) = self.devices.get(&write.who) {
                    let Device { cursor, registration, .. } = *device;
                    return found(Answer::DeviceRegistered(Registered { cursor, registration }));
                }
                let user = write.who.user;
                let devices = self.devices_of(user).count();
                let cursor = write.new_device_cursor(devices, self.user(user).floor, self.head(user))?;
                Plan::Register(write, cursor)
            }
            Action::ForgetDevice(ForgetDevice { who }) => {
                if !self.devices.contains_key(&who) {
                    return found(Answer::DeviceForgotten);
                }
                Plan::Forget(who)
            }
            Action::Expire(write) => Plan::Expire(write),
            // Clause 5.
            _ => return Err(Refusal::Unsupported),
        };
        Ok(Prepared::Ready(plan))
    }

    fn check_append(&self, write: AppendMessage) -> Result<Prepared<Plan>, Refusal> {
        let sender = write.sender.user;
        let conversation = self.conversations.get(&write.conversation).ok_or(Refusal::NotFound)?;
        let side = conversation.participants.side(sender).ok_or(Refusal::NotFound)?;
        let recipient = conversation.participants.participant(side.other());
        // Clause 11 comes before the gates and the conditions: a retry stays a retry.
        let sent = write.client_id.and_then(|id| self.client_ids.get(&(sender, id)));
        if let Some(rows) = sent.and_then(|id| self.message_rows.get(id)) {
            let answer = write.retry_answer(Arc::clone(&rows.message), rows.sender_seq)?;
            return Ok(Prepared::Found(answer));
        }
        let newest = self.messages_of(write.conversation).next_back();
        let sequence = newest.map(|(message, _)| message.sequence).unwrap_or_default().next();
        let counts = newest.map(|(_, counts)| *counts).unwrap_or_default();
        let counts = counts.after_message(side, write.ciphertext.len() as u64);
        self.gate_of(conversation.participants).check_message(side, &counts)?;
        for user in [sender, recipient] {
            self.user(user).gate.check_message(user, self.head(user).next())?;
        }
        let sender_sequence = counts.side(side).sent;
        let plan = Append { write, recipient, sequence, sender_sequence, counts };
        Ok(Prepared::Ready(Plan::Append(plan)))
    }

    pub(super) fn gate_of(&self, pair: Participants) -> Gate {
        self.gates.get(&pair).copied().unwrap_or_default()
    }

    pub(super) fn carry_out(&mut self, plan: Plan, appended: &mut Vec<Notification>) -> Answer {
        match plan {
            Plan::None => Answer::None,
            Plan::Open(write) => self.open_conversation(&write, appended),
            Plan::Append(plan) => self.append_message(plan, appended),
            Plan::Acknowledge(write, AckDecision { done, marks }) => {
                self.acknowledged.extend(marks.into_iter().map(|seq| (write.who.clone(), seq)));
                let cursor = self.advance_cursor(&write.who, done.cursor);
                Answer::Acknowledged(Acknowledged { cursor, ..done })
            }
            Plan::Register(write, cursor) => {
                let user = self.users.entry(write.who.user).or_default();
                user.registration = user.registration.next();
                let registration = user.registration;
                self.devices.insert(write.who, Device { registration, cursor, registered_at: write.at });
                Answer::DeviceRegistered(Registered { cursor, registration })
            }
            Plan::Forget(who) => {
                self.acknowledged.retain(|(device, _)| *device != who);
                self.devices.remove(&who);
                Answer::DeviceForgotten
            }
            Plan::Expire(write) => self.expire(&write),
        }
    }

    fn open_conversation(&mut self, write: &OpenConversation, appended: &mut Vec<Notification>) -> Answer {
        let OpenConversation { id, participants, .. } = *write;
        let conversation = Conversation { id, participants, opened_at: write.at };
        self.pairs.insert(participants, id);
        self.conversations.insert(id, conversation);
        for user in [participants.a(), participants.b()] {
            self.opened.insert((user, id));
            let origin = (user == write.opener.user).then(|| write.opener.device.clone());
            let notice = Event::Notice(Notice::ConversationOpened(conversation));
            appended.push(self.append(user, new_entry(write.at, origin, notice)));
        }
        Answer::ConversationOpened(conversation)
    }

    /// Clause 12: the conversation, the sender's inbox and the recipient's inbox.
    fn append_message(&mut self, plan: Append, appended: &mut Vec<Notification>) -> Answer {
        let Append { write, recipient, sequence, sender_sequence, counts } = plan;
        let (at, sender) = (write.at, write.sender.clone());
        let message = Arc::new(write.into_message(sequence, sender_sequence));
        let event = || Event::Message(Arc::clone(&message));
        let sent = self.append(sender.user, new_entry(at, Some(sender.device), event()));
        let received = self.append(recipient, new_entry(at, None, event()));
        let (sender_seq, recipient_seq) = (sent.entry.seq, received.entry.seq);
        self.messages.insert((message.conversation, sequence), (Arc::clone(&message), counts));
        let rows = MessageRows { message: Arc::clone(&message), sender_seq, recipient, recipient_seq };
        self.message_rows.insert(message.id, rows);
        if let Some(client_id) = message.client_id {
            self.client_ids.insert((sender.user, client_id), message.id);
        }
        appended.extend([sent, received]);
        Answer::MessageAppended(Appended { message, sender_seq })
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

    /// Clause 15. The floors keep numbers unique (clause 8) after all entries of an inbox expired.
    fn expire(&mut self, write: &Expire) -> Answer {
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
        for (user, seq) in &expired {
            let entry = self.inbox.remove(&(*user, *seq));
            let row = self.users.entry(*user).or_default();
            (row.floor, row.floor_proof) = (*seq, entry.map(|entry| entry.proof(*user)));
        }
        let users = &self.users;
        self.acknowledged.retain(|(who, seq)| users.get(&who.user).is_none_or(|user| *seq > user.floor));
        Answer::Expired { entries: expired.len(), more }
    }

    /// Clause 7: the next number is one above the newest that was ever given.
    pub(super) fn append(&mut self, user: UserId, mut entry: InboxEntry) -> Notification {
        entry.seq = self.head(user).next();
        self.inbox.insert((user, entry.seq), entry.clone());
        Notification { user, entry }
    }
}

/// An entry for all devices of its user, which gets its number when it is appended.
fn new_entry(at: Timestamp, origin: Option<DeviceId>, event: Event) -> InboxEntry {
    InboxEntry { seq: InboxSeq::ZERO, at, origin, addressee: None, event }
}
