//! Actions of the store in memory. Each has a check, which changes nothing, and a second step, which
//! makes the change and cannot fail.

use std::sync::Arc;

use super::{ConversationLog, Device, State, StoredMessage, UserState};
use crate::conversation::Conversation;
use crate::counts::Counts;
use crate::device::DeviceId;
use crate::inbox::{Event, InboxEntry, Notice, Notification};
use crate::numbers::{InboxSeq, SenderSequence, ServerSequence};
use crate::participants::Side;
use crate::store::batch_rows::Prepared;
use crate::store::decisions::{AckDecision, AckState};
use crate::store::refusal::Refusal;
use crate::store::write::{
    Acknowledge, Acknowledged, Action, Answer, AppendMessage, Appended, Expire, ForgetDevice,
    OpenConversation, RegisterDevice, Registered,
};
use crate::time::Timestamp;
use crate::user::UserId;

/// An action whose checks have passed.
pub(super) enum Plan {
    None,
    Open(OpenConversation),
    Append(AppendPlan),
    Acknowledge(Acknowledge, AckDecision),
    /// The device and the start of its cursor.
    Register(RegisterDevice, InboxSeq),
    Forget(ForgetDevice),
    Expire(Expire),
}

pub(super) struct AppendPlan {
    write: AppendMessage,
    recipient: UserId,
    /// The counts of the conversation with the message.
    counts: Counts,
    sender_sequence: SenderSequence,
}

impl Plan {
    /// The other user of an append or an opening.
    pub(super) fn peer(&self) -> Option<UserId> {
        match self {
            Self::Append(plan) => Some(plan.recipient),
            Self::Open(write) => write.participants.peer_of(write.opener.user),
            _ => None,
        }
    }
}

impl State {
    /// Checks an action. Nothing is changed.
    pub(super) fn plan(&self, action: Action) -> Result<Prepared<Plan>, Refusal> {
        let found = |answer| Ok(Prepared::Found(answer));
        let plan = match action {
            Action::None => Plan::None,
            Action::OpenConversation(write) => {
                let id = self.pairs.get(&write.participants);
                if let Some(log) = id.and_then(|id| self.conversations.get(id)) {
                    return found(Answer::ConversationOpened(log.conversation));
                }
                self.gates.get(&write.participants).copied().unwrap_or_default().check_open()?;
                let opener = write.participants.side(write.opener.user).unwrap_or(Side::A);
                for side in [opener, opener.other()] {
                    let user = write.participants.participant(side);
                    self.gate_of(user).check_open(user)?;
                }
                Plan::Open(write)
            }
            Action::AppendMessage(write) => return self.plan_append(write),
            Action::Acknowledge(write) => {
                let decision = self.decide_acknowledgement(&write)?;
                Plan::Acknowledge(write, decision)
            }
            Action::RegisterDevice(write) => {
                let user = self.users.get(&write.who.user);
                if let Some(device) = user.and_then(|user| user.devices.get(&write.who.device)) {
                    let Device { cursor, registration, .. } = *device;
                    return found(Answer::DeviceRegistered(Registered { cursor, registration }));
                }
                let (devices, floor, head) = user.map_or((0, InboxSeq::ZERO, InboxSeq::ZERO), |user| {
                    (user.devices.len(), InboxSeq::new(user.floor), user.head())
                });
                let cursor = write.new_device_cursor(devices, floor, head)?;
                Plan::Register(write, cursor)
            }
            Action::ForgetDevice(write) => {
                let user = self.users.get(&write.who.user);
                if !user.is_some_and(|user| user.devices.contains_key(&write.who.device)) {
                    return found(Answer::DeviceForgotten);
                }
                Plan::Forget(write)
            }
            Action::Expire(write) => Plan::Expire(write),
        };
        Ok(Prepared::Ready(plan))
    }

    fn plan_append(&self, write: AppendMessage) -> Result<Prepared<Plan>, Refusal> {
        let log = self.conversations.get(&write.conversation).ok_or(Refusal::NotFound)?;
        let participants = log.conversation.participants;
        let sender = write.sender.user;
        let side = participants.side(sender).ok_or(Refusal::NotFound)?;
        let recipient = participants.participant(side.other());
        let stored_id = write.client_id.and_then(|id| self.client_ids.get(&(sender, id)));
        if let Some(stored) = stored_id.and_then(|id| self.messages.get(id)) {
            let answer = write.retry_answer(Arc::clone(&stored.message), stored.sender_seq)?;
            return Ok(Prepared::Found(answer));
        }
        let counts = log.counts.after_message(side, write.ciphertext.len() as u64);
        let gate = self.gates.get(&participants).copied().unwrap_or_default();
        gate.check_message(side, &counts)?;
        for user in [sender, recipient] {
            let head = self.users.get(&user).map_or(InboxSeq::ZERO, UserState::head);
            self.gate_of(user).check_message(user, head.next())?;
        }
        let sender_sequence = counts.side(side).sent;
        Ok(Prepared::Ready(Plan::Append(AppendPlan { write, recipient, counts, sender_sequence })))
    }

    fn decide_acknowledgement(&self, write: &Acknowledge) -> Result<AckDecision, Refusal> {
        let who = &write.who;
        let user = self.users.get(&who.user).ok_or(Refusal::UnknownDevice)?;
        let device = user.devices.get(&who.device).ok_or(Refusal::UnknownDevice)?;
        let entry_about = |id| match self.messages.get(&id) {
            Some(stored) if stored.message.sender == who.user => Ok(stored.sender_seq),
            Some(stored) if stored.recipient == who.user => Ok(stored.recipient_seq),
            _ => Ok(InboxSeq::ZERO),
        };
        let (head, floor) = (user.head(), InboxSeq::new(user.floor));
        write.decide::<Refusal>(AckState { cursor: device.cursor, head, floor }, entry_about)
    }

    fn gate_of(&self, user: UserId) -> crate::store::gate::UserGate {
        self.users.get(&user).map(|user| user.gate).unwrap_or_default()
    }

    /// Performs an action whose checks have passed. Adds the entries that it appends.
    pub(super) fn carry_out(&mut self, plan: Plan, appended: &mut Vec<Notification>) -> Answer {
        match plan {
            Plan::None => Answer::None,
            Plan::Open(write) => self.open_conversation(&write, appended),
            Plan::Append(plan) => self.append_message(plan, appended),
            Plan::Acknowledge(write, decision) => self.acknowledge(&write, decision),
            Plan::Register(write, cursor) => self.register_device(write, cursor),
            Plan::Forget(write) => {
                if let Some(user) = self.users.get_mut(&write.who.user) {
                    user.devices.remove(&write.who.device);
                }
                Answer::DeviceForgotten
            }
            Plan::Expire(write) => self.expire(&write),
        }
    }

    fn open_conversation(&mut self, write: &OpenConversation, appended: &mut Vec<Notification>) -> Answer {
        let participants = write.participants;
        let conversation = Conversation { id: write.id, participants, opened_at: write.at };
        self.pairs.insert(participants, write.id);
        let log = ConversationLog { conversation, messages: Vec::new(), counts: Counts::default() };
        self.conversations.insert(write.id, log);
        for user in [participants.a(), participants.b()] {
            self.users.entry(user).or_default().conversations.insert(write.id);
            let origin = (user == write.opener.user).then(|| write.opener.device.clone());
            let event = Event::Notice(Notice::ConversationOpened(conversation));
            appended.push(self.append(user, new_entry(write.at, origin, event)));
        }
        Answer::ConversationOpened(conversation)
    }

    fn append_message(&mut self, plan: AppendPlan, appended: &mut Vec<Notification>) -> Answer {
        let AppendPlan { write, recipient, counts, sender_sequence } = plan;
        let (id, sender, at) = (write.conversation, write.sender.clone(), write.at);
        let log = self.conversations.get_mut(&id);
        let sequence = ServerSequence::new(log.as_ref().map_or(0, |log| log.messages.len()) as u64 + 1);
        let message = Arc::new(write.into_message(sequence, sender_sequence));
        if let Some(log) = log {
            log.messages.push(Arc::clone(&message));
            log.counts = counts;
        }
        let event = || Event::Message(Arc::clone(&message));
        let sent = self.append(sender.user, new_entry(at, Some(sender.device), event()));
        let received = self.append(recipient, new_entry(at, None, event()));
        let (sender_seq, recipient_seq) = (sent.entry.seq, received.entry.seq);
        if let Some(client_id) = message.client_id {
            self.client_ids.insert((sender.user, client_id), message.id);
        }
        self.messages.insert(
            message.id,
            StoredMessage { message: Arc::clone(&message), sender_seq, recipient_seq, recipient },
        );
        appended.extend([sent, received]);
        Answer::MessageAppended(Appended { message, sender_seq })
    }

    fn acknowledge(&mut self, write: &Acknowledge, decision: AckDecision) -> Answer {
        let AckDecision { done, marks } = decision;
        let Some(user) = self.users.get_mut(&write.who.user) else { return Answer::Acknowledged(done) };
        if let Some(device) = user.devices.get_mut(&write.who.device) {
            device.cursor = done.cursor;
            device.acknowledged.extend(marks);
        }
        Answer::Acknowledged(Acknowledged { cursor: user.advance_cursor(&write.who.device), ..done })
    }

    fn register_device(&mut self, write: RegisterDevice, cursor: InboxSeq) -> Answer {
        let user = self.users.entry(write.who.user).or_default();
        let registration = user.registration.next();
        user.registration = registration;
        let (registered_at, acknowledged) = (write.at, Default::default());
        let device = Device { cursor, registered_at, registration, acknowledged };
        user.devices.insert(write.who.device, device);
        Answer::DeviceRegistered(Registered { cursor, registration })
    }

    fn expire(&mut self, write: &Expire) -> Answer {
        let mut entries = 0;
        let mut more = false;
        for (id, user) in &mut self.users {
            while user.entries.front().is_some_and(|entry| entry.at < write.before) {
                if entries == write.limit {
                    more = true;
                    break;
                }
                user.floor_proof = user.entries.pop_front().map(|entry| entry.proof(*id));
                user.floor += 1;
                entries += 1;
            }
            let floor = InboxSeq::new(user.floor);
            for device in user.devices.values_mut() {
                device.acknowledged = device.acknowledged.split_off(&floor.next());
            }
        }
        Answer::Expired { entries, more }
    }

    /// Appends an entry to a user's inbox, with the next number. Returns its hint.
    pub(super) fn append(&mut self, to: UserId, mut entry: InboxEntry) -> Notification {
        let user = self.users.entry(to).or_default();
        entry.seq = user.head().next();
        user.entries.push_back(entry.clone());
        Notification { user: to, entry }
    }
}

/// An entry for all devices, whose number is not known yet.
fn new_entry(at: Timestamp, origin: Option<DeviceId>, event: Event) -> InboxEntry {
    InboxEntry { seq: InboxSeq::ZERO, at, origin, addressee: None, event }
}

impl UserState {
    /// Advances a device's cursor over the acknowledged entries that follow it, and removes their
    /// marks. Returns the new cursor.
    ///
    /// Below an acknowledged entry the cursor also advances over the device's own entries, over
    /// expired entries, and over notices, which include all entries that are addressed to other
    /// registrations. A client that acknowledges by message id does not name these entries. A
    /// session delivers entries in order, so none of them is delivered after the acknowledged entry.
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
