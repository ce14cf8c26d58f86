//! The rows of a segment, for [`Write::apply`](dm_core::store::Write::apply).

use dm_core::store::{
    Action, Answer, BatchRows, Event, Gate, InboxEntry, Name, Notification, Owner, Participants, Prefix,
    Prepared, Record, RecordKey, Registration, Revisions, Stop, Tag, UserGate, UserId,
};

use crate::write::decide::plan::Plan;
use crate::write::state::{BatchState, Content, NewEntry, PairGate, Retry};

impl BatchRows for BatchState {
    type Error = Retry;
    type Plan = Plan;

    fn prepare(&mut self, action: Action) -> Result<Prepared<Plan>, Stop<Retry>> {
        self.plan(action)
    }

    fn perform(&mut self, plan: Plan, appended: &mut Vec<Notification>) -> Result<Answer, Retry> {
        self.carry_out(plan, appended)
    }

    fn peer(&self, plan: &Plan) -> Option<UserId> {
        plan.peer()
    }

    fn fence(&mut self, owner: Owner) -> Result<Option<Tag>, Retry> {
        match owner {
            Owner::User(user) => Ok(self.user(user)?.fence),
            Owner::Conversation(id) => Ok(self
                .conversation_fences
                .get(&id)
                .copied()
                .unwrap_or_else(|| self.conversations.get(&id).and_then(|head| head.fence))),
            Owner::Store => Ok(None),
        }
    }

    fn record(&mut self, key: &RecordKey) -> Result<Option<Record>, Retry> {
        self.records.get(key)
    }

    fn names(&mut self, under: &Prefix, limit: usize) -> Result<Vec<Name>, Retry> {
        self.records.names(under, limit)
    }

    fn put(&mut self, record: Record, _: Option<&Record>) -> Result<(), Retry> {
        if record.key.is_fence() {
            self.set_fence(record.key.owner, Some(record.tag))?;
        }
        self.records.put(record);
        Ok(())
    }

    fn remove(&mut self, record: &Record) -> Result<(), Retry> {
        if record.key.is_fence() {
            self.set_fence(record.key.owner, None)?;
        }
        self.records.remove(&record.key);
        Ok(())
    }

    fn revisions(&mut self, user: UserId) -> Result<Revisions, Retry> {
        Ok(self.user(user)?.revisions)
    }

    fn set_revisions(&mut self, user: UserId, revisions: Revisions) -> Result<(), Retry> {
        let user = self.user(user)?;
        (user.revisions, user.is_changed) = (revisions, true);
        Ok(())
    }

    fn gate(&mut self, pair: Participants) -> Result<Gate, Retry> {
        Ok(self.gate_of(pair))
    }

    fn set_gate(&mut self, pair: Participants, gate: Gate) -> Result<(), Retry> {
        let id = self.by_participants.get(&pair);
        match id.and_then(|id| self.conversations.get_mut(id)) {
            Some(head) => (head.gate, head.has_new_gate) = (gate, true),
            None => _ = self.gates.insert(pair, PairGate { gate, is_changed: true }),
        }
        Ok(())
    }

    fn user_gate(&mut self, user: UserId) -> Result<UserGate, Retry> {
        Ok(self.user(user)?.gate)
    }

    fn set_user_gate(&mut self, user: UserId, gate: UserGate) -> Result<(), Retry> {
        let user = self.user(user)?;
        (user.gate, user.is_changed) = (gate, true);
        Ok(())
    }

    fn is_registered(&mut self, user: UserId, registration: Registration) -> Result<bool, Retry> {
        Ok(self.devices_of(user).any(|device| device.registration == registration))
    }

    fn append_entry(&mut self, to: UserId, entry: InboxEntry) -> Result<Notification, Retry> {
        let InboxEntry { seq: _, at, origin, addressee, event } = entry;
        let content = match &event {
            Event::Message(message) => Content::Message(message.conversation, message.sequence),
            Event::Notice(notice) => Content::Notice(notice.encode()),
        };
        self.add_entry(to, NewEntry { at, origin, addressee, content, event })
    }
}

impl BatchState {
    /// The gate of a pair, with or without a conversation.
    pub(super) fn gate_of(&self, pair: Participants) -> Gate {
        let head = self.by_participants.get(&pair).and_then(|id| self.conversations.get(id));
        match (head, self.gates.get(&pair)) {
            (Some(head), _) => head.gate,
            (None, Some(row)) => row.gate,
            (None, None) => Gate::default(),
        }
    }

    fn set_fence(&mut self, owner: Owner, tag: Option<Tag>) -> Result<(), Retry> {
        match owner {
            Owner::User(user) => {
                let user = self.user(user)?;
                (user.fence, user.is_changed) = (tag, true);
            }
            Owner::Conversation(id) => _ = self.conversation_fences.insert(id, tag),
            Owner::Store => {}
        }
        Ok(())
    }
}
