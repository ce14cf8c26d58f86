//! [`Outcome`], the result of a write.

use std::sync::Arc;

use crate::conversation::Conversation;
use crate::inbox::Notification;
use crate::message::Message;
use crate::numbers::{InboxSeq, Registration, Revision};
use crate::record::Record;
use crate::store::refusal::Refusal;
use crate::user::UserId;

/// The result of a write.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The write was done, or was found to be done before.
    Done(Done),
    /// The write was not done, and nothing changed.
    Refused(Refusal),
}

/// The result of a write that was done.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// The answer to the action.
    pub answer: Answer,
    /// Whether the write was done before: a repeated send, an open conversation, a registered
    /// device, a device that is forgotten, a record that is there with tag and value. The write
    /// then changed nothing: neither its changes nor its posts were made again.
    pub is_found: bool,
    /// The records that [`TakeFirst`](super::Change::TakeFirst) returns, one item for each in the
    /// order of the changes; `None` if there was no record.
    pub taken: Vec<Option<Record>>,
    /// The users whose synced records the write changed, each once, with the newest revision.
    pub revisions: Vec<(UserId, Revision)>,
    /// The entries that the write appended: those of the action, then those of the posts in their
    /// order.
    pub appended: Vec<Notification>,
}

impl Done {
    /// The result of a write that was done before.
    #[must_use]
    pub fn found(answer: Answer) -> Self {
        Self { answer, is_found: true, ..Self::default() }
    }
}

/// The answer to an [`Action`](super::Action).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Answer {
    /// The answer to no action.
    #[default]
    None,
    /// The answer to [`OpenConversation`](super::OpenConversation): the pair's conversation. The
    /// write opened it if it was not [found](Done::is_found).
    ConversationOpened(Conversation),
    /// The answer to [`AppendMessage`](super::AppendMessage): the message with its numbers.
    MessageAppended(Appended),
    /// The answer to [`Acknowledge`](super::Acknowledge): the new cursor, and counts.
    Acknowledged(Acknowledged),
    /// The answer to [`RegisterDevice`](super::RegisterDevice).
    DeviceRegistered(Registered),
    /// The answer to [`ForgetDevice`](super::ForgetDevice): the device is not registered any more.
    /// It was before if the write was not [found](Done::is_found).
    DeviceForgotten,
    /// The answer to [`Expire`](super::Expire).
    Expired {
        /// The number of entries removed.
        entries: usize,
        /// Whether there may be more entries that are old enough.
        more: bool,
    },
}

/// A message in its conversation and in both inboxes.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The message as stored.
    pub message: Arc<Message>,
    /// The number of its entry in the sender's inbox.
    pub sender_seq: InboxSeq,
}

/// The result of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The device's cursor: every entry up to here is acknowledged. Single entries beyond it may be
    /// acknowledged, too.
    pub cursor: InboxSeq,
    /// The number of named entries that exist in the inbox or have expired, also if they were
    /// acknowledged before. For [`AckTarget::UpTo`](super::AckTarget::UpTo) it is the number of
    /// entries by which the target moved the cursor.
    pub acknowledged: u64,
    /// The number of named entries or messages that do not exist or belong to another user.
    pub unknown: u64,
}

/// A registered device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The device's cursor.
    pub cursor: InboxSeq,
    /// The number of its registration.
    pub registration: Registration,
}
