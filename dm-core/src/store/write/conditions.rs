//! [`Expect`], a condition of a write.

use crate::record::{Prefix, RecordKey, Tag};

/// A condition of a write. The conditions of a write are checked in their order, before its first
/// change. They see the changes of earlier writes of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expect {
    /// There is no record with this key.
    Absent(RecordKey),
    /// There is a record with this key, and it has this tag.
    Tagged(RecordKey, Tag),
    /// There are fewer than `than` records under a prefix. `than` is at most
    /// [`MAX_COUNT`](Self::MAX_COUNT).
    Fewer {
        /// The records that are counted.
        under: Prefix,
        /// The number that they must be below.
        than: u16,
    },
    /// The [fence](crate::record::Kind::FENCE) of a party of the action has this tag. Only for
    /// [`AppendMessage`](super::AppendMessage) and, without
    /// [`Conversation`](Party::Conversation), [`OpenConversation`](super::OpenConversation).
    Fence {
        /// The owner of the fence.
        of: Party,
        /// The tag.
        tag: Tag,
    },
}

impl Expect {
    /// The largest number that [`Fewer`](Self::Fewer) can name.
    pub const MAX_COUNT: u16 = 1024;
}

/// A party of an action, whose fence a condition is about. An append does not name its recipient,
/// so parties are named by their role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// The user who sends the message or opens the conversation.
    Sender,
    /// The other user.
    Peer,
    /// The conversation.
    Conversation,
}
