//! [`Plan`]: an action whose checks have passed.

use dm_core::store::{Action, Answer, Expire, Notification, Prepared, Refusal, Stop, UserId};

use super::BatchWriter;
use super::acknowledge::AcknowledgePlan;
use super::append::AppendPlan;
use super::conversations::OpenPlan;
use super::devices::{ForgetPlan, RegisterPlan};
use crate::failure::Failure;
use crate::rows::Changes;

/// An action whose checks have passed, with the rows and heads that the checks found.
#[expect(clippy::large_enum_variant, reason = "the largest is the most frequent one, an append")]
pub(super) enum Plan {
    None,
    Open(OpenPlan),
    Append(AppendPlan),
    Acknowledge(AcknowledgePlan),
    Register(RegisterPlan),
    Forget(ForgetPlan),
    Expire(Expire),
}

impl Plan {
    /// The other user of an append or an opening.
    pub(super) fn peer(&self) -> Option<UserId> {
        match self {
            Self::Append(plan) => Some(plan.recipient()),
            Self::Open(plan) => plan.peer(),
            _ => None,
        }
    }
}

impl<T: Changes> BatchWriter<'_, T> {
    /// Checks an action without changing anything.
    pub(super) fn plan(&mut self, action: Action) -> Result<Prepared<Plan>, Stop<Failure>> {
        Ok(match action {
            Action::AppendMessage(write) => self.plan_append(write)?.map(Plan::Append),
            Action::OpenConversation(write) => self.plan_opening(write)?.map(Plan::Open),
            Action::Acknowledge(write) => self.plan_acknowledgement(&write)?.map(Plan::Acknowledge),
            Action::RegisterDevice(write) => self.plan_registration(write)?.map(Plan::Register),
            Action::ForgetDevice(write) => self.plan_forgetting(&write)?.map(Plan::Forget),
            Action::Expire(write) => Prepared::Ready(Plan::Expire(write)),
            Action::None => Prepared::Ready(Plan::None),
            _ => return Err(Refusal::Unsupported.into()),
        })
    }

    /// Performs an action whose checks have passed. Adds the entries that it appends.
    pub(super) fn carry_out(
        &mut self,
        plan: Plan,
        appended: &mut Vec<Notification>,
    ) -> Result<Answer, Failure> {
        match plan {
            Plan::Append(plan) => self.append_message(plan, appended),
            Plan::Open(plan) => self.open_conversation(plan, appended),
            Plan::Acknowledge(plan) => self.acknowledge(plan),
            Plan::Register(plan) => self.register_device(plan),
            Plan::Forget(plan) => self.forget_device(&plan),
            Plan::Expire(write) => self.expire(&write),
            Plan::None => Ok(Answer::None),
        }
    }
}
