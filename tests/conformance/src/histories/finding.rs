//! The contradictions that the checker can find.

use std::fmt;

use dm_core::store::{
    ConversationId, DeviceId, InboxSeq, MessageId, Owner, Participants, ServerSequence, UserId,
};

/// Something that a store showed or answered and must not have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// An answered message is not at the number in its answer.
    Lost(MessageId),
    /// A message, or a sender's client id, is stored twice.
    Doubled(MessageId),
    /// A message, conversation or fence is stored that no call requested, or with other content.
    Phantom(String),
    /// A message is in its conversation and not in a participant's inbox, or the reverse.
    HalfPresent {
        /// The message.
        message: MessageId,
        /// The owner of the inbox.
        user: UserId,
    },
    /// Some messages of a batch are stored and others are not. The answer of the batch was not
    /// waited for.
    HalfBatch(MessageId),
    /// The numbers of a conversation have a hole, or do not end at its head.
    GapInConversation(ConversationId),
    /// The numbers of an inbox have a hole, or do not end at its head.
    GapInInbox(UserId),
    /// Messages of a conversation have another order in an inbox.
    OutOfOrder {
        /// The owner of the inbox.
        user: UserId,
        /// The message that comes too late.
        message: MessageId,
    },
    /// A message was answered before another was requested, and does not have the lower number.
    AgainstTime {
        /// The message that was answered first.
        first: MessageId,
        /// The message that was requested later.
        second: MessageId,
    },
    /// The same send was answered with two messages or two numbers.
    TwoAnswers(MessageId),
    /// A pair of users has more than one conversation, or was told of more than one.
    TwoConversations(Participants),
    /// An answered conversation is not in the lists of both users.
    LostConversation(ConversationId),
    /// An acknowledged entry is pending.
    StillPending {
        /// The owner of the inbox.
        user: UserId,
        /// The device that it is pending for.
        device: DeviceId,
        /// The entry.
        seq: InboxSeq,
    },
    /// An entry is not pending, and was not acknowledged.
    NotPending {
        /// The owner of the inbox.
        user: UserId,
        /// The device that it should be pending for.
        device: DeviceId,
        /// The entry.
        seq: InboxSeq,
    },
    /// A device's cursor is below one in an earlier answer.
    CursorWentBack {
        /// The owner of the device.
        user: UserId,
        /// The device.
        device: DeviceId,
    },
    /// A registered device does not exist, or a forgotten one does.
    WrongDevice {
        /// The owner of the device.
        user: UserId,
        /// The device.
        device: DeviceId,
    },
    /// The number of removed entries differs from the answers of expiry.
    WrongExpiry {
        /// The number of entries in the answers.
        answered: u64,
        /// The number of entries that were removed.
        gone: u64,
    },
    /// An entry was removed that was not old enough for any expiry.
    ExpiredEarly {
        /// The owner of the inbox.
        user: UserId,
        /// The entry.
        seq: InboxSeq,
    },
    /// A message that names a fence was appended before the fence had the named tag, or after it had
    /// the next one.
    StaleFence(MessageId),
    /// A fence does not have the tag of its last put, or a put of it was refused without a reason.
    WrongFence(Owner),
    /// A send was refused without a reason.
    WronglyRefused(MessageId),
    /// A reader saw an inbox with a hole, or without entries that were answered before.
    InconsistentRead {
        /// The owner of the inbox.
        user: UserId,
        /// The entry up to which the page should have gone.
        seq: InboxSeq,
    },
    /// The head or last activity of a conversation is not that of its newest message.
    WrongHead(ConversationId, ServerSequence),
    /// The counts of a conversation, or the number of a message among those of its sender, are not
    /// those of its messages.
    WrongCounts(ConversationId),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
