//! [`Conversation`]: a conversation as the server returns it.

use crate::ids::ConversationId;
use crate::keys::UserId;
use crate::time::Timestamp;

/// A conversation of two users.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conversation {
    /// The id of the conversation.
    pub id: ConversationId,
    /// The two users of the conversation.
    pub participants: [Participant; 2],
    /// The time at which the conversation was opened, by the server's clock.
    pub opened_at: Timestamp,
    /// The time at which the server received the newest message; `None` before the first message.
    pub last_activity: Option<Timestamp>,
}

/// A user in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// The user.
    pub user: UserId,
    /// The user's display name at the host. It can be any text, also empty. Remove control
    /// characters before you print it.
    pub name: String,
}

impl Conversation {
    /// The other participant as seen by `user`; `None` if `user` is not in the conversation.
    pub fn peer_of(&self, user: &UserId) -> Option<&Participant> {
        let [a, b] = &self.participants;
        match (a.user == *user, b.user == *user) {
            (true, false) => Some(b),
            (false, true) => Some(a),
            _ => None,
        }
    }
}

/// A page of the user's conversations, most recently active first. The text of
/// [`next`](Self::next) is opaque: only the server reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationPage {
    /// The conversations.
    pub conversations: Vec<Conversation>,
    /// The cursor of the next page, for [`Client::conversations`](crate::Client::conversations);
    /// `None` on the last page.
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    #[test]
    fn each_participant_has_the_other_as_peer_and_another_user_has_none() {
        let user = |seed| Identity::from_seed(&[seed; 32]).user_id();
        let participant = |seed| Participant { user: user(seed), name: format!("{seed}") };
        let conversation = Conversation {
            id: ConversationId::from_bytes([0; 16]),
            participants: [participant(1), participant(2)],
            opened_at: Timestamp::from_millis(5),
            last_activity: None,
        };
        let peer = |seed| conversation.peer_of(&user(seed)).map(|peer| peer.name.as_str());
        assert_eq!([peer(1), peer(2), peer(3)], [Some("2"), Some("1"), None]);
    }
}
