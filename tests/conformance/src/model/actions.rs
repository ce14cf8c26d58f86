//! The model of actions, except acknowledgements.

use std::collections::BTreeMap;
use std::sync::Arc;

use dm_core::store::{
    Action, Answer, AppendMessage, Appended, Conversation, DeviceStart, Event, Expire, InboxSeq, Message,
    Notice, Notification, OpenConversation, Refusal, RegisterDevice, Registered, Registration,
    SenderSequence, ServerSequence,
};

use super::state::{ConversationLog, Device, Model, StoredMessage};
use super::writes::Checked;

impl Model {
    /// The checks of an action: everything exists, it was done before, the gates.
    pub(super) fn check_action(&self, action: &Action) -> Result<Checked, Refusal> {
        let found = |answer| Ok(Checked::Found(answer));
        match action {
            Action::None | Action::Expire(_) => {}
            Action::OpenConversation(write) => {
                if let Some(open) = self.conversations().find(|one| one.participants == write.participants) {
                    return found(Answer::ConversationOpened(*open));
                }
                self.gates_let_open(write)?;
            }
            Action::AppendMessage(write) => return self.check_append(write),
            Action::Acknowledge(write) => self.check_acknowledgement(write)?,
            Action::RegisterDevice(write) => {
                let person = self.users.get(&write.who.user);
                if let Some(device) = person.and_then(|person| person.device(&write.who.device)) {
                    return found(Answer::DeviceRegistered(registered(device)));
                }
                if person.map_or(0, |person| person.devices.len()) >= write.limit {
                    return Err(Refusal::TooManyDevices);
                }
            }
            Action::ForgetDevice(write) => {
                let person = self.users.get(&write.who.user);
                if person.is_none_or(|person| person.device(&write.who.device).is_none()) {
                    return found(Answer::DeviceForgotten);
                }
            }
            unknown => panic!("an action that this contract does not know: {unknown:?}"),
        }
        Ok(Checked::Possible)
    }

    fn check_append(&self, write: &AppendMessage) -> Result<Checked, Refusal> {
        let log = self.conversations.get(&write.conversation).ok_or(Refusal::NotFound)?;
        let sender = write.sender.user;
        let recipient = log.conversation.participants.peer_of(sender).ok_or(Refusal::NotFound)?;
        let Some(StoredMessage { message, numbers }) = self.sent_as(write) else {
            self.gates_let_send(log, write, recipient)?;
            return Ok(Checked::Possible);
        };
        let same = message.conversation == write.conversation
            && message.sent_at == write.sent_at
            && message.ciphertext == write.ciphertext;
        if !same {
            return Err(Refusal::ClientIdReused);
        }
        let sender_seq = InboxSeq::new(numbers[&sender]);
        let message = Arc::clone(message);
        Ok(Checked::Found(Answer::MessageAppended(Appended { message, sender_seq })))
    }

    /// The message that the sender sent with this client id before, in any conversation.
    fn sent_as(&self, write: &AppendMessage) -> Option<&StoredMessage> {
        let id = write.client_id?;
        self.conversations
            .values()
            .flat_map(|log| &log.sent)
            .find(|sent| sent.message.sender == write.sender.user && sent.message.client_id == Some(id))
    }

    /// Does an action whose checks have passed. Returns the allowed answers, and the entries that
    /// it appended.
    pub(super) fn act(&mut self, action: &Action) -> (Vec<Answer>, Vec<Notification>) {
        match action {
            Action::Acknowledge(write) => (self.acknowledge(write), Vec::new()),
            Action::Expire(write) => (self.expire(write), Vec::new()),
            Action::OpenConversation(write) => self.open(write),
            Action::AppendMessage(write) => self.append(write),
            Action::RegisterDevice(write) => (vec![self.register(write)], Vec::new()),
            Action::ForgetDevice(write) => {
                let person = self.person(write.who.user);
                person.devices.retain(|device| device.name != write.who.device);
                (vec![Answer::DeviceForgotten], Vec::new())
            }
            _ => (vec![Answer::None], Vec::new()),
        }
    }

    fn open(&mut self, write: &OpenConversation) -> (Vec<Answer>, Vec<Notification>) {
        let participants = write.participants;
        let conversation = Conversation { id: write.id, participants, opened_at: write.at };
        self.conversations.insert(write.id, ConversationLog { conversation, sent: Vec::new() });
        let notice = Event::Notice(Notice::ConversationOpened(conversation));
        let mut appended = Vec::new();
        for user in [participants.a(), participants.b()] {
            let origin = (user == write.opener.user).then_some(&write.opener.device);
            appended.push(self.put(user, write.at, origin, None, notice.clone()));
        }
        (vec![Answer::ConversationOpened(conversation)], appended)
    }

    fn append(&mut self, write: &AppendMessage) -> (Vec<Answer>, Vec<Notification>) {
        let sender = write.sender.user;
        let log = &self.conversations[&write.conversation];
        let recipient = log.conversation.participants.peer_of(sender).expect("the sender was checked");
        let own = log.sent.iter().filter(|sent| sent.message.sender == sender).count() as u64;
        let message = Arc::new(Message {
            id: write.id,
            conversation: write.conversation,
            sequence: ServerSequence::new(log.sent.len() as u64 + 1),
            sender,
            sender_sequence: SenderSequence::new(own + 1),
            client_id: write.client_id,
            sent_at: write.sent_at,
            received_at: write.at,
            ciphertext: write.ciphertext.clone(),
        });
        let event = Event::Message(Arc::clone(&message));
        let sent = self.put(sender, write.at, Some(&write.sender.device), None, event.clone());
        let received = self.put(recipient, write.at, None, None, event);
        let sender_seq = sent.entry.seq;
        let numbers = BTreeMap::from([(sender, sender_seq.get()), (recipient, received.entry.seq.get())]);
        if let Some(log) = self.conversations.get_mut(&write.conversation) {
            log.sent.push(StoredMessage { message: Arc::clone(&message), numbers });
        }
        (vec![Answer::MessageAppended(Appended { message, sender_seq })], vec![sent, received])
    }

    fn register(&mut self, write: &RegisterDevice) -> Answer {
        let person = self.person(write.who.user);
        person.registrations += 1;
        let device = Device {
            name: write.who.device.clone(),
            cursor: match write.start {
                DeviceStart::Oldest => person.floor(),
                DeviceStart::Now => person.head,
            },
            registered_at: write.at,
            registration: Registration::new(person.registrations),
            marks: Default::default(),
        };
        let answer = Answer::DeviceRegistered(registered(&device));
        person.devices.push(device);
        answer
    }

    fn expire(&mut self, write: &Expire) -> Vec<Answer> {
        let mut entries = 0;
        for (user, person) in &mut self.users {
            let gone = person.old(write.before).min(write.limit - entries);
            person.remove_up_to(*user, person.floor() + gone as u64);
            entries += gone;
        }
        // A store may answer that there are more entries although there are none, if further steps
        // come to an end.
        let more = self.old(write) > 0;
        let mut allowed = vec![Answer::Expired { entries, more }];
        if entries > 0 {
            allowed.push(Answer::Expired { entries, more: true });
        }
        allowed
    }

    /// The number of entries that can expire.
    pub(super) fn old(&self, write: &Expire) -> usize {
        self.users.values().map(|person| person.old(write.before)).sum()
    }
}

fn registered(device: &Device) -> Registered {
    Registered { cursor: InboxSeq::new(device.cursor), registration: device.registration }
}
