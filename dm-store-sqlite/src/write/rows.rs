//! The rows of a batch, for [`Write::apply`](dm_core::store::Write::apply).

use dm_core::store::{
    Action, Answer, BatchRows, Event, Gate, InboxEntry, Name, Notification, Owner, Participants, Prefix,
    Prepared, Record, RecordKey, Refusal, Registration, Revisions, Stop, Tag, UserGate, UserId,
};
use rusqlite::{Error, Result};

use super::Batch;
use super::plan::Plan;
use crate::read::records;

impl BatchRows for Batch<'_> {
    type Error = Error;
    type Plan = Plan;

    fn prepare(&mut self, action: Action) -> Result<Prepared<Plan>, Stop<Error>> {
        match action {
            Action::None => Ok(Prepared::Ready(Plan::None)),
            Action::OpenConversation(write) => self.plan_opening(write),
            Action::AppendMessage(write) => self.plan_append(write),
            Action::Acknowledge(write) => self.plan_acknowledgement(write),
            Action::RegisterDevice(write) => self.plan_registration(write),
            Action::ForgetDevice(write) => self.plan_forgetting(&write).map_err(Stop::Failed),
            Action::Expire(write) => Ok(Prepared::Ready(Plan::Expire(write))),
            _ => Err(Refusal::Unsupported.into()),
        }
    }

    fn perform(&mut self, plan: Plan, appended: &mut Vec<Notification>) -> Result<Answer> {
        match plan {
            Plan::None => Ok(Answer::None),
            Plan::Open(plan) => self.open_conversation(&plan, appended),
            Plan::Append(plan) => self.append_message(*plan, appended),
            Plan::Acknowledge(plan) => self.acknowledge(plan),
            Plan::Register(plan) => self.register_device(&plan),
            Plan::Forget(device) => self.forget_device(device),
            Plan::Expire(write) => self.expire(&write),
        }
    }

    fn peer(&self, plan: &Plan) -> Option<UserId> {
        plan.peer()
    }

    fn fence(&mut self, owner: Owner) -> Result<Option<Tag>> {
        self.fence_tag(owner)
    }

    fn record(&mut self, key: &RecordKey) -> Result<Option<Record>> {
        records::record(self.connection, key)
    }

    fn names(&mut self, under: &Prefix, limit: usize) -> Result<Vec<Name>> {
        records::names(self.connection, under, limit)
    }

    fn put(&mut self, record: Record, old: Option<&Record>) -> Result<()> {
        self.put_record(&record, old)
    }

    fn remove(&mut self, record: &Record) -> Result<()> {
        self.remove_record(&record.key)
    }

    fn revisions(&mut self, user: UserId) -> Result<Revisions> {
        records::revisions(self.connection, user)
    }

    fn set_revisions(&mut self, user: UserId, revisions: Revisions) -> Result<()> {
        self.update_revisions(user, revisions)
    }

    fn gate(&mut self, pair: Participants) -> Result<Gate> {
        Ok(self.pair(pair)?.gate)
    }

    fn set_gate(&mut self, pair: Participants, gate: Gate) -> Result<()> {
        self.update_gate(pair, gate)
    }

    fn user_gate(&mut self, user: UserId) -> Result<UserGate> {
        Ok(self.user(user)?.map(|user| user.gate).unwrap_or_default())
    }

    fn set_user_gate(&mut self, user: UserId, gate: UserGate) -> Result<()> {
        self.update_user_gate(user, gate)
    }

    fn is_registered(&mut self, user: UserId, registration: Registration) -> Result<bool> {
        self.has_registration(user, registration)
    }

    fn append_entry(&mut self, to: UserId, entry: InboxEntry) -> Result<Notification> {
        match &entry.event {
            Event::Notice(notice) => {
                let (notice, inbox) = (notice.encode(), self.user_or_new(to)?.inbox);
                self.append_notice((to, inbox), &notice, entry)
            }
            // `Write::apply` appends notices only. Messages are appended by the action.
            Event::Message(_) => Err(Error::InvalidQuery),
        }
    }
}
