//! [`Conversation`], which two users have with each other, and the order in which a user's
//! conversations are listed.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use crate::counts::Counts;
use crate::ids::ConversationId;
use crate::invalid::Invalid;
use crate::message::Message;
use crate::numbers::{SenderSequence, ServerSequence};
use crate::participants::{Participants, Side};
use crate::time::Timestamp;

/// The facts about a conversation that never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conversation {
    /// The id.
    pub id: ConversationId,
    /// The two users in it.
    pub participants: Participants,
    /// The time at which it was opened.
    pub opened_at: Timestamp,
}

/// A conversation with the number and time of its newest message, and the counts of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversationState {
    /// The conversation.
    pub conversation: Conversation,
    /// The number of its newest message; zero if it has no message.
    pub head: ServerSequence,
    /// The time at which the service received the newest message; `None` if there is none.
    pub last_activity: Option<Timestamp>,
    /// What each side has sent and seen, up to the newest message.
    pub counts: Counts,
}

impl ConversationState {
    /// The number of the newest message that is not counted: it and all before it were stored
    /// before messages were counted. Zero for a conversation whose messages are all counted.
    #[must_use]
    pub fn uncounted(&self) -> ServerSequence {
        ServerSequence::new(self.head.get().saturating_sub(self.counts.total()))
    }

    /// The number of messages that a side had sent when a message of this conversation was
    /// appended, that message included; `None` if the message is not counted.
    #[must_use]
    pub fn sent_up_to(&self, side: Side, message: &Message) -> Option<SenderSequence> {
        if message.sender_sequence == SenderSequence::ZERO {
            return None;
        }
        if self.conversation.participants.participant(side) == message.sender {
            return Some(message.sender_sequence);
        }
        let counted = message.sequence.get().saturating_sub(self.uncounted().get());
        Some(SenderSequence::new(counted.saturating_sub(message.sender_sequence.get())))
    }

    /// The cursor at this conversation. The page after it starts with the next conversation of the
    /// list.
    #[must_use]
    pub const fn cursor(&self) -> ConversationCursor {
        ConversationCursor { last_activity: self.last_activity, id: self.conversation.id }
    }
}

/// A position in a user's list of conversations, after which the next page starts. It has nothing
/// to do with the cursor of a device. Clients treat the text form as opaque.
///
/// The list is ordered by last activity, newest first. Conversations without messages come last.
/// Conversations with equal activity are ordered by id, highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversationCursor {
    /// The last activity of the conversation at the cursor; `None` if it has no messages.
    pub last_activity: Option<Timestamp>,
    /// The conversation at the cursor, which is the last one of the previous page.
    pub id: ConversationId,
}

impl ConversationCursor {
    /// Whether a conversation comes after this cursor in the order of the list.
    #[must_use]
    pub fn precedes(&self, state: &ConversationState) -> bool {
        (state.last_activity, state.conversation.id) < (self.last_activity, self.id)
    }
}

/// The last activity as 16 hexadecimal digits, if there is one, and the id as 32.
impl fmt::Display for ConversationCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.last_activity {
            f.write_str(&HEXLOWER.encode(&at.as_millis().to_be_bytes()))?;
        }
        f.write_str(&HEXLOWER.encode(self.id.as_bytes()))
    }
}

impl FromStr for ConversationCursor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = Invalid::new("cursor", "not a cursor of this list");
        // 32 digits for an id alone, 48 for a time and an id. The length is checked before
        // decoding, because the text is untrusted input.
        if text.len() != 32 && text.len() != 48 {
            return Err(invalid);
        }
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| invalid)?;
        let (at, id) = bytes.split_at(bytes.len() - 16);
        let id = ConversationId::from_bytes(id.try_into().map_err(|_| invalid)?);
        let last_activity = match at {
            [] => None,
            at => Some(Timestamp::from_millis(u64::from_be_bytes(at.try_into().map_err(|_| invalid)?))),
        };
        Ok(Self { last_activity, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_form() {
        let id = ConversationId::from_bytes([7; 16]);
        for last_activity in
            [None, Some(Timestamp::from_millis(0)), Some(Timestamp::from_millis(1_700_000_000_000))]
        {
            let cursor = ConversationCursor { last_activity, id };
            assert_eq!(cursor.to_string().parse::<ConversationCursor>().unwrap(), cursor);
        }
    }

    #[test]
    fn text_that_is_not_a_cursor_is_refused() {
        for text in ["", "zz", &"0".repeat(31), &"z".repeat(48), &"0".repeat(65_536)] {
            assert!(text.parse::<ConversationCursor>().is_err());
        }
    }
}
