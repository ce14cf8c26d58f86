//! [`Plan`], an action whose checks have passed, with what the checks found.

use dm_core::store::{
    AckDecision, AppendMessage, Counts, Expire, Gate, InboxSeq, OpenConversation, Principal, RegisterDevice,
    Registered, Registration, SenderSequence, ServerSequence, UserId,
};

use super::heads::InboxHead;

/// An action to perform.
pub(super) enum Plan {
    None,
    Open(OpenPlan),
    /// In a box, because it is far larger than the others.
    Append(Box<AppendPlan>),
    Acknowledge(AcknowledgePlan),
    Register(RegisterPlan),
    Forget(Device),
    Expire(Expire),
}

/// A conversation to open.
pub(super) struct OpenPlan {
    pub(super) write: OpenConversation,
    /// The gate of the pair.
    pub(super) gate: Gate,
}

/// A message to append.
pub(super) struct AppendPlan {
    pub(super) write: AppendMessage,
    pub(super) recipient: UserId,
    pub(super) sender_inbox: InboxHead,
    pub(super) recipient_inbox: InboxHead,
    pub(super) message_ref: i64,
    pub(super) conversation_ref: i64,
    /// The number that the message gets in the conversation.
    pub(super) sequence: ServerSequence,
    /// The number that the message gets among those of its sender.
    pub(super) sender_sequence: SenderSequence,
    /// The counts of the conversation with the message.
    pub(super) counts: Counts,
}

/// Entries to acknowledge.
pub(super) struct AcknowledgePlan {
    pub(super) who: Principal,
    pub(super) device: Device,
    pub(super) decision: AckDecision,
}

/// A device to register.
pub(super) struct RegisterPlan {
    pub(super) write: RegisterDevice,
    /// What the device gets.
    pub(super) registered: Registered,
}

/// A registered device.
#[derive(Clone, Copy)]
pub(super) struct Device {
    pub(super) device_ref: i64,
    pub(super) user_ref: i64,
    pub(super) cursor: InboxSeq,
    pub(super) registration: Registration,
    /// The number of the newest expired entry of the user's inbox.
    pub(super) floor: InboxSeq,
}

impl Plan {
    /// The other user of an append or an opening.
    pub(super) fn peer(&self) -> Option<UserId> {
        match self {
            Self::Append(plan) => Some(plan.recipient),
            Self::Open(OpenPlan { write, .. }) => write.participants.peer_of(write.opener.user),
            _ => None,
        }
    }
}
