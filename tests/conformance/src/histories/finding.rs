//! What can be wrong with a history.

use std::fmt;

use dm_core::store::{ConversationId, DeviceId, InboxSeq, MessageId, Participants, ServerSequence, UserId};

/// Something that a store showed or answered, and must not have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// A message that was answered is not where it was said to be.
    Lost(MessageId),
    /// A message, or a client id of a sender, is there twice.
    Doubled(MessageId),
    /// A message, a conversation or a key that nobody asked for is there, or with another content.
    Phantom(String),
    /// A message is in its conversation and not in a participant's inbox, or the other way round.
    HalfPresent {
        /// The message.
        message: MessageId,
        /// Whose inbox.
        user: UserId,
    },
    /// Of a batch whose answer nobody waited for, some messages are there and others are not.
    HalfBatch(MessageId),
    /// A conversation's numbers have a hole, or another end than its head.
    GapInConversation(ConversationId),
    /// An inbox's numbers have a hole, or another end than its head.
    GapInInbox(UserId),
    /// An inbox has messages of a conversation in another order than the conversation.
    OutOfOrder {
        /// Whose inbox.
        user: UserId,
        /// The message that came too late.
        message: MessageId,
    },
    /// A message was answered before another was asked for, and has a number that is not below the other's.
    AgainstTime {
        /// The message that was answered first.
        first: MessageId,
        /// The one that was asked for later.
        second: MessageId,
    },
    /// The same send was answered with two messages or two numbers.
    TwoAnswers(MessageId),
    /// A pair has more than one conversation, or was told of more than one.
    TwoConversations(Participants),
    /// A conversation that was answered is not in both users' lists.
    LostConversation(ConversationId),
    /// An entry that was acknowledged is pending.
    StillPending {
        /// Whose inbox.
        user: UserId,
        /// For which device.
        device: DeviceId,
        /// The entry.
        seq: InboxSeq,
    },
    /// An entry that nobody acknowledged is not pending.
    NotPending {
        /// Whose inbox.
        user: UserId,
        /// For which device.
        device: DeviceId,
        /// The entry.
        seq: InboxSeq,
    },
    /// A device's cursor is below one that was answered earlier.
    CursorWentBack {
        /// Whose device.
        user: UserId,
        /// Which.
        device: DeviceId,
    },
    /// A device that was registered is not there, or one that was forgotten is.
    WrongDevice {
        /// Whose device.
        user: UserId,
        /// Which.
        device: DeviceId,
    },
    /// Another number of entries is gone than expiry answered.
    WrongExpiry {
        /// What was answered.
        answered: u64,
        /// What is gone.
        gone: u64,
    },
    /// An entry is gone that was not old enough for any expiry.
    ExpiredEarly {
        /// Whose inbox.
        user: UserId,
        /// The entry.
        seq: InboxSeq,
    },
    /// A message is stored for a key that was replaced before it was asked for.
    StaleKey(MessageId),
    /// A key's versions have a hole, or two keys have one version.
    WrongKeys(UserId),
    /// A send was refused though there was nothing in its way.
    WronglyRefused(MessageId),
    /// A reader saw an inbox with a hole, or without what was answered before.
    BadSight {
        /// Whose inbox.
        user: UserId,
        /// Up to which entry it should have been.
        seq: InboxSeq,
    },
    /// A conversation's head or last activity is not its newest message's.
    WrongHead(ConversationId, ServerSequence),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
