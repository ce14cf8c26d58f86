//! The rows that [`Write::apply`] finds and writes. It has the order of all checks and changes
//! (clause 16), so this store cannot get it wrong.

use std::convert::Infallible;

use dm_core::store::*;

use super::Tables;
use super::actions::Plan;

impl Tables {
    pub(crate) fn apply(&mut self, write: Write) -> Outcome {
        match write.apply(self) {
            Ok(outcome) => outcome,
            Err(never) => match never {},
        }
    }
}

impl BatchRows for Tables {
    /// Maps in memory do not fail. A store with an engine has the error of the engine here.
    type Error = Infallible;
    type Plan = Plan;

    fn prepare(&mut self, action: Action) -> Result<Prepared<Plan>, Stop<Infallible>> {
        Ok(self.check(action)?)
    }

    fn perform(&mut self, plan: Plan, appended: &mut Vec<Notification>) -> Result<Answer, Infallible> {
        Ok(self.carry_out(plan, appended))
    }

    fn peer(&self, plan: &Plan) -> Option<UserId> {
        match plan {
            Plan::Append(append) => Some(append.recipient),
            Plan::Open(write) => write.participants.peer_of(write.opener.user),
            _ => None,
        }
    }

    fn fence(&mut self, owner: Owner) -> Result<Option<Tag>, Infallible> {
        Ok(self.records.get(&RecordKey::fence(owner)).map(|record| record.tag))
    }

    fn record(&mut self, key: &RecordKey) -> Result<Option<Record>, Infallible> {
        Ok(self.records.get(key).cloned())
    }

    fn names(&mut self, under: &Prefix, limit: usize) -> Result<Vec<Name>, Infallible> {
        Ok(self.records_under(under, None).take(limit).map(|record| record.key.name.clone()).collect())
    }

    fn put(&mut self, record: Record, old: Option<&Record>) -> Result<(), Infallible> {
        self.put_record(record, old);
        Ok(())
    }

    fn remove(&mut self, record: &Record) -> Result<(), Infallible> {
        self.remove_record(record);
        Ok(())
    }

    fn revisions(&mut self, user: UserId) -> Result<Revisions, Infallible> {
        Ok(self.user(user).revisions)
    }

    fn set_revisions(&mut self, user: UserId, revisions: Revisions) -> Result<(), Infallible> {
        self.users.entry(user).or_default().revisions = revisions;
        Ok(())
    }

    fn gate(&mut self, pair: Participants) -> Result<Gate, Infallible> {
        Ok(self.gate_of(pair))
    }

    fn set_gate(&mut self, pair: Participants, gate: Gate) -> Result<(), Infallible> {
        self.gates.insert(pair, gate);
        Ok(())
    }

    fn user_gate(&mut self, user: UserId) -> Result<UserGate, Infallible> {
        Ok(self.user(user).gate)
    }

    fn set_user_gate(&mut self, user: UserId, gate: UserGate) -> Result<(), Infallible> {
        self.users.entry(user).or_default().gate = gate;
        Ok(())
    }

    fn is_registered(&mut self, user: UserId, registration: Registration) -> Result<bool, Infallible> {
        Ok(self.devices_of(user).any(|(_, device)| device.registration == registration))
    }

    fn append_entry(&mut self, to: UserId, entry: InboxEntry) -> Result<Notification, Infallible> {
        Ok(self.append(to, entry))
    }
}
