//! Applying writes to the [`BatchState`] in memory, which decides the outcome of each write. The
//! writes are those of one segment, a part of a batch that is loaded and written at once.
//!
//! [`Write::apply`](dm_core::store::Write::apply) has the order of all checks and changes. This
//! module has the actions: each has a check, which changes nothing, and a second step, which makes
//! the change. `rows` has the rest.

mod acknowledge;
mod append;
mod conversations;
mod devices;
mod plan;
mod rows;

use dm_core::store::{Action, Answer, Notification, Prepared, Refusal, Stop};

use crate::write::state::{BatchState, Retry};
use plan::Plan;

impl BatchState {
    /// Checks an action. Nothing is changed.
    fn plan(&mut self, action: Action) -> Result<Prepared<Plan>, Stop<Retry>> {
        match action {
            Action::None => Ok(Prepared::Ready(Plan::None)),
            Action::OpenConversation(write) => self.plan_opening(write),
            Action::AppendMessage(write) => self.plan_append(write),
            Action::Acknowledge(write) => self.plan_acknowledgement(write),
            Action::RegisterDevice(write) => self.plan_registration(write),
            Action::ForgetDevice(write) => Ok(self.plan_removal(write)),
            Action::Expire(_) => Ok(Prepared::Ready(Plan::Expire)),
            _ => Err(Refusal::Unsupported.into()),
        }
    }

    /// Performs an action whose checks have passed. Adds the entries that it appends.
    fn carry_out(&mut self, plan: Plan, appended: &mut Vec<Notification>) -> Result<Answer, Retry> {
        match plan {
            Plan::None => Ok(Answer::None),
            Plan::Open(write) => self.open_conversation(&write, appended),
            Plan::Append(plan) => self.append_message(plan, appended),
            Plan::Acknowledge(write, decision) => Ok(self.acknowledge(&write, decision)),
            Plan::Register(write, cursor) => self.register_device(write, cursor),
            Plan::Forget(write) => Ok(self.forget_device(write)),
            // The statements of the expiry ran before, unless this only checks the write.
            Plan::Expire => Ok(self.expired.take().unwrap_or_default()),
        }
    }
}
