//! The rows of a batch, for [`Write::apply`](dm_core::store::Write::apply).

use dm_core::store::{
    Action, Answer, BatchRows, Gate, InboxEntry, Name, Notification, Owner, Participants, Prefix, Prepared,
    Record, RecordKey, Registration, Revisions, Stop, Tag, UserGate, UserId,
};

use super::BatchWriter;
use super::plan::Plan;
use crate::failure::Failure;
use crate::rows::Changes;

impl<T: Changes> BatchRows for BatchWriter<'_, T> {
    type Error = Failure;
    type Plan = Plan;

    fn prepare(&mut self, action: Action) -> Result<Prepared<Plan>, Stop<Failure>> {
        self.plan(action)
    }

    fn perform(&mut self, plan: Plan, appended: &mut Vec<Notification>) -> Result<Answer, Failure> {
        self.carry_out(plan, appended)
    }

    fn peer(&self, plan: &Plan) -> Option<UserId> {
        plan.peer()
    }

    fn fence(&mut self, owner: Owner) -> Result<Option<Tag>, Failure> {
        match owner {
            Owner::User(user) => Ok(self.heads.user(self.tables, user)?.and_then(|head| head.fence)),
            Owner::Conversation(id) => {
                Ok(self.heads.conversation(self.tables, id)?.and_then(|head| head.fence))
            }
            Owner::Store => Ok(self.tables.record(&RecordKey::fence(owner))?.map(|record| record.tag)),
        }
    }

    fn record(&mut self, key: &RecordKey) -> Result<Option<Record>, Failure> {
        self.tables.record(key)
    }

    fn names(&mut self, under: &Prefix, limit: usize) -> Result<Vec<Name>, Failure> {
        self.first_names(under, limit)
    }

    fn put(&mut self, record: Record, old: Option<&Record>) -> Result<(), Failure> {
        self.put_record(&record, old)
    }

    fn remove(&mut self, record: &Record) -> Result<(), Failure> {
        self.remove_record(record)
    }

    fn revisions(&mut self, user: UserId) -> Result<Revisions, Failure> {
        match self.heads.user(self.tables, user)? {
            Some(head) => self.tables.user_revisions(head.user_ref),
            None => Ok(Revisions::default()),
        }
    }

    fn set_revisions(&mut self, user: UserId, revisions: Revisions) -> Result<(), Failure> {
        let user_ref = self.user_or_new(user)?.user_ref;
        self.tables.insert_user_revisions(user, user_ref, revisions)
    }

    fn gate(&mut self, pair: Participants) -> Result<Gate, Failure> {
        self.gate_of_pair(pair)
    }

    fn set_gate(&mut self, pair: Participants, gate: Gate) -> Result<(), Failure> {
        self.set_gate_of_pair(pair, gate)
    }

    fn user_gate(&mut self, user: UserId) -> Result<UserGate, Failure> {
        Ok(self.heads.user(self.tables, user)?.map(|head| head.gate()).unwrap_or_default())
    }

    fn set_user_gate(&mut self, user: UserId, gate: UserGate) -> Result<(), Failure> {
        let head = self.user_or_new(user)?.with_gate(gate);
        self.heads.write_user(self.tables, user, head)
    }

    fn is_registered(&mut self, user: UserId, registration: Registration) -> Result<bool, Failure> {
        self.has_registration(user, registration)
    }

    fn append_entry(&mut self, to: UserId, entry: InboxEntry) -> Result<Notification, Failure> {
        self.append_any_entry(to, entry)
    }
}
