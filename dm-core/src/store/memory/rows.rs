//! The rows of the store in memory, for [`Write::apply`](crate::store::Write::apply).

use std::convert::Infallible;

use super::State;
use super::actions::Plan;
use crate::inbox::{InboxEntry, Notification};
use crate::numbers::Registration;
use crate::participants::Participants;
use crate::record::{Name, Owner, Prefix, Record, RecordKey, Tag};
use crate::store::batch_rows::{BatchRows, Prepared, Revisions, Stop};
use crate::store::gate::{Gate, UserGate};
use crate::store::write::{Action, Answer};
use crate::user::UserId;

impl BatchRows for State {
    type Error = Infallible;
    type Plan = Plan;

    fn prepare(&mut self, action: Action) -> Result<Prepared<Plan>, Stop<Infallible>> {
        Ok(self.plan(action)?)
    }

    fn perform(&mut self, plan: Plan, appended: &mut Vec<Notification>) -> Result<Answer, Infallible> {
        Ok(self.carry_out(plan, appended))
    }

    fn peer(&self, plan: &Plan) -> Option<UserId> {
        plan.peer()
    }

    fn fence(&mut self, owner: Owner) -> Result<Option<Tag>, Infallible> {
        Ok(self.records.get(&RecordKey::fence(owner)).map(|record| record.tag))
    }

    fn record(&mut self, key: &RecordKey) -> Result<Option<Record>, Infallible> {
        Ok(self.records.get(key).cloned())
    }

    fn names(&mut self, under: &Prefix, limit: usize) -> Result<Vec<Name>, Infallible> {
        Ok(self.under(under, None).take(limit).map(|record| record.key.name.clone()).collect())
    }

    fn put(&mut self, record: Record, _: Option<&Record>) -> Result<(), Infallible> {
        self.records.insert(record.key.clone(), record);
        Ok(())
    }

    fn remove(&mut self, record: &Record) -> Result<(), Infallible> {
        self.records.remove(&record.key);
        Ok(())
    }

    fn revisions(&mut self, user: UserId) -> Result<Revisions, Infallible> {
        Ok(self.users.get(&user).map(|user| user.revisions).unwrap_or_default())
    }

    fn set_revisions(&mut self, user: UserId, revisions: Revisions) -> Result<(), Infallible> {
        self.users.entry(user).or_default().revisions = revisions;
        Ok(())
    }

    fn gate(&mut self, pair: Participants) -> Result<Gate, Infallible> {
        Ok(self.gates.get(&pair).copied().unwrap_or_default())
    }

    fn set_gate(&mut self, pair: Participants, gate: Gate) -> Result<(), Infallible> {
        if gate == Gate::default() {
            self.gates.remove(&pair);
        } else {
            self.gates.insert(pair, gate);
        }
        Ok(())
    }

    fn user_gate(&mut self, user: UserId) -> Result<UserGate, Infallible> {
        Ok(self.users.get(&user).map(|user| user.gate).unwrap_or_default())
    }

    fn set_user_gate(&mut self, user: UserId, gate: UserGate) -> Result<(), Infallible> {
        self.users.entry(user).or_default().gate = gate;
        Ok(())
    }

    fn is_registered(&mut self, user: UserId, registration: Registration) -> Result<bool, Infallible> {
        let Some(user) = self.users.get(&user) else { return Ok(false) };
        Ok(user.devices.values().any(|device| device.registration == registration))
    }

    fn append_entry(&mut self, to: UserId, entry: InboxEntry) -> Result<Notification, Infallible> {
        Ok(self.append(to, entry))
    }
}
