//! The state of the client: conversations, their messages, and messages to be sent. It is plain
//! data, without a clock, a network or a terminal.

use dm_client::{
    ClientMessageId, Conversation, ConversationId, KeyVersion, MessageId, OutgoingMessage, ServerSequence,
    Stored, Suite, Timestamp, UserId,
};

pub(crate) mod saved;

/// Number of stored messages kept of each conversation. Older messages are read from the server
/// again.
const KEPT_MESSAGES: usize = 300;

/// The data that are kept over a restart of the program.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct State {
    /// The id of the server that the state belongs to.
    pub(crate) server_id: Option<String>,
    /// The version of the user's own published key, if it is known.
    pub(crate) own_key_version: Option<KeyVersion>,
    /// The conversations, most recently active first.
    pub(crate) conversations: Vec<LocalConversation>,
}

/// A conversation with the messages that are kept on this device.
#[derive(Debug, PartialEq)]
pub(crate) struct LocalConversation {
    pub(crate) id: ConversationId,
    pub(crate) peer: UserId,
    /// The peer's display name from the host; not neutralized.
    pub(crate) peer_name: String,
    /// The strongest cipher suite that the peer has sent in. Replies use this suite, and weaker
    /// ones are not accepted.
    pub(crate) strongest_suite: Option<Suite>,
    /// The time of the last activity.
    pub(crate) active_at: Timestamp,
    /// Number of messages from the peer that arrived while the conversation was not open.
    pub(crate) unread: u32,
    /// The messages, ordered by sequence.
    pub(crate) messages: Vec<Entry>,
    /// The messages that the server has not confirmed, oldest first.
    pub(crate) outbox: Vec<Unsent>,
}

/// A stored message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) id: MessageId,
    /// The client message id from the authenticated header; `None` if the message did not decrypt
    /// or is in suite 0.
    pub(crate) client_id: Option<ClientMessageId>,
    pub(crate) sequence: ServerSequence,
    pub(crate) mine: bool,
    /// The time of sending, by the sender's clock.
    pub(crate) sent_at: Timestamp,
    pub(crate) text: Text,
}

/// The text of a message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Text {
    /// The decrypted text; not neutralized.
    Plain(String),
    /// The message did not decrypt, for this reason.
    Unreadable(String),
}

/// A message that the server has not confirmed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unsent {
    pub(crate) text: String,
    /// The encrypted message, the same in every attempt.
    pub(crate) sealed: OutgoingMessage,
    /// The reason why the server refused the message. A refused message is sent again only on
    /// request.
    pub(crate) refused: Option<String>,
}

/// Whether a message was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Novelty {
    New,
    Known,
}

impl State {
    /// Adds or updates a conversation from the server. A conversation without `me` is ignored.
    pub(crate) fn update(&mut self, me: &UserId, conversation: &Conversation) {
        let Some(peer) = conversation.peer_of(me) else { return };
        let active_at = conversation.last_activity.unwrap_or(conversation.opened_at);
        match self.find_mut(conversation.id) {
            Some(known) => {
                known.peer_name.clone_from(&peer.name);
                known.active_at = known.active_at.max(active_at);
            }
            None => self.conversations.push(LocalConversation {
                id: conversation.id,
                peer: peer.user,
                peer_name: peer.name.clone(),
                strongest_suite: None,
                active_at,
                unread: 0,
                messages: Vec::new(),
                outbox: Vec::new(),
            }),
        }
        self.sort();
    }

    /// Adds a message that was delivered or read from the history. The message counts as unread if
    /// it is new and from the peer, and if `seen` is false.
    pub(crate) fn add(&mut self, id: ConversationId, entry: Entry, seen: bool) -> Novelty {
        let Some(conversation) = self.find_mut(id) else { return Novelty::Known };
        if entry.mine {
            // The delivery may come before the answer to the send. It confirms the send, too.
            conversation.outbox.retain(|unsent| Some(unsent.sealed.id) != entry.client_id);
        }
        let (mine, sent_at) = (entry.mine, entry.sent_at);
        let novelty = conversation.insert(entry);
        if novelty == Novelty::New {
            if !mine && !seen {
                conversation.unread = conversation.unread.saturating_add(1);
            }
            conversation.active_at = conversation.active_at.max(sent_at);
            self.sort();
        }
        novelty
    }

    /// Adds a message to the outbox of its conversation.
    pub(crate) fn enqueue(&mut self, unsent: Unsent) {
        let at = unsent.sealed.sent_at;
        if let Some(conversation) = self.find_mut(unsent.sealed.conversation) {
            conversation.outbox.push(unsent);
            conversation.active_at = conversation.active_at.max(at);
            self.sort();
        }
    }

    /// Moves a message from the outbox to the stored messages.
    pub(crate) fn confirm(&mut self, id: ClientMessageId, stored: &Stored) {
        for conversation in &mut self.conversations {
            if let Some(at) = conversation.outbox.iter().position(|unsent| unsent.sealed.id == id) {
                let unsent = conversation.outbox.remove(at);
                conversation.insert(Entry {
                    id: stored.id,
                    client_id: Some(id),
                    sequence: stored.sequence,
                    mine: true,
                    sent_at: unsent.sealed.sent_at,
                    text: Text::Plain(unsent.text),
                });
                return;
            }
        }
    }

    /// The message in an outbox with this id.
    pub(crate) fn unsent_mut(&mut self, id: ClientMessageId) -> Option<&mut Unsent> {
        self.conversations
            .iter_mut()
            .flat_map(|conversation| &mut conversation.outbox)
            .find(|unsent| unsent.sealed.id == id)
    }

    pub(crate) fn find(&self, id: ConversationId) -> Option<&LocalConversation> {
        self.conversations.iter().find(|conversation| conversation.id == id)
    }

    pub(crate) fn find_mut(&mut self, id: ConversationId) -> Option<&mut LocalConversation> {
        self.conversations.iter_mut().find(|conversation| conversation.id == id)
    }

    /// The messages in all outboxes that were not refused, oldest first.
    pub(crate) fn waiting(&self) -> Vec<OutgoingMessage> {
        let waiting = self.conversations.iter().flat_map(|conversation| &conversation.outbox);
        let mut waiting: Vec<_> =
            waiting.filter(|unsent| unsent.refused.is_none()).map(|unsent| unsent.sealed.clone()).collect();
        waiting.sort_by_key(|sealed| sealed.sent_at);
        waiting
    }

    fn sort(&mut self) {
        self.conversations.sort_by(|a, b| b.active_at.cmp(&a.active_at).then(a.id.cmp(&b.id)));
    }
}

impl LocalConversation {
    /// The number of the oldest message from which no message is missing up to the newest one.
    /// Older messages have to be read below this number. `None` if no older message exists, or if
    /// no message is kept.
    pub(crate) fn oldest_without_hole(&self) -> Option<ServerSequence> {
        let mut oldest = self.messages.last()?.sequence;
        for entry in self.messages.iter().rev().skip(1) {
            if entry.sequence.next() != oldest {
                break;
            }
            oldest = entry.sequence;
        }
        (oldest > ServerSequence::new(1)).then_some(oldest)
    }

    /// Removes the oldest messages beyond the limit. The server still has them.
    pub(crate) fn trim(&mut self) {
        let surplus = self.messages.len().saturating_sub(KEPT_MESSAGES);
        self.messages.drain(..surplus);
    }

    fn insert(&mut self, entry: Entry) -> Novelty {
        match self.messages.binary_search_by_key(&entry.sequence, |known| known.sequence) {
            Ok(_) => Novelty::Known,
            Err(at) => {
                self.messages.insert(at, entry);
                Novelty::New
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
