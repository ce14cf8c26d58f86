//! [`Plan`], an action whose checks have passed.

use dm_core::store::{
    AckDecision, Acknowledge, AppendMessage, Counts, ForgetDevice, InboxSeq, OpenConversation,
    RegisterDevice, SenderSequence, UserId,
};

/// An action whose checks have passed.
pub(in crate::write) enum Plan {
    None,
    Open(OpenConversation),
    Append(AppendPlan),
    Acknowledge(Acknowledge, AckDecision),
    /// The device and the start of its cursor.
    Register(RegisterDevice, InboxSeq),
    Forget(ForgetDevice),
    Expire,
}

/// An append whose checks have passed.
pub(in crate::write) struct AppendPlan {
    pub(super) write: AppendMessage,
    pub(super) recipient: UserId,
    /// The counts of the conversation with the message.
    pub(super) counts: Counts,
    pub(super) sender_sequence: SenderSequence,
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
