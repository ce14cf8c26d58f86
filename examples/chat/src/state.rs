//! What the client knows: conversations, their messages, and what waits to be sent. Plain data; no clock, no
//! network, no terminal.

use dm_client::{
    ClientMessageId, Conversation, ConversationId, MessageId, OutgoingMessage, PublicKey, Stored, Suite,
};

pub(crate) mod saved;

/// Messages kept of each conversation, beside those that wait. Older ones are read from the server again.
const KEPT: usize = 300;

/// Everything that outlives the program.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct State {
    /// The id of the server that this state is about.
    pub(crate) server_id: Option<String>,
    /// The version of the own published key.
    pub(crate) own_key_version: u32,
    /// Most recently active first.
    pub(crate) threads: Vec<Thread>,
}

/// A conversation.
#[derive(Debug, PartialEq)]
pub(crate) struct Thread {
    pub(crate) id: ConversationId,
    pub(crate) peer: PublicKey,
    /// As the host tells it; not neutralized.
    pub(crate) peer_name: String,
    /// The strongest encryption that the peer has written in: what is accepted, and what they are
    /// answered in.
    pub(crate) heard_in: Option<Suite>,
    /// When something happened last, Unix milliseconds.
    pub(crate) active_at: u64,
    /// Messages from the peer that arrived while the conversation was not open.
    pub(crate) unread: u32,
    /// By sequence.
    pub(crate) messages: Vec<Entry>,
    /// Oldest first.
    pub(crate) outbox: Vec<Unsent>,
}

/// A stored message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) id: MessageId,
    /// The sender's id for it, as written inside; `None` if it did not open or carries none.
    pub(crate) client_id: Option<ClientMessageId>,
    pub(crate) sequence: u64,
    pub(crate) mine: bool,
    /// The sender's clock, Unix milliseconds.
    pub(crate) sent_at: u64,
    pub(crate) text: Text,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Text {
    /// This; not neutralized.
    Plain(String),
    /// It did not open, for this reason.
    Unreadable(String),
}

/// A message that the server has not confirmed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unsent {
    pub(crate) text: String,
    /// What is sent, the same in every attempt.
    pub(crate) sealed: OutgoingMessage,
    /// Why it was refused; it is not sent again by itself then.
    pub(crate) refused: Option<String>,
}

/// Whether a message was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Novelty {
    New,
    Known,
}

impl State {
    /// Takes in what the server says about a conversation. Conversations of others than `me` are none.
    pub(crate) fn conversation(&mut self, me: &PublicKey, conversation: &Conversation) {
        let Some(peer) = conversation.peer_of(me) else { return };
        let active_at = conversation.last_message_at.unwrap_or(conversation.created_at);
        match self.thread_mut(conversation.id) {
            Some(thread) => {
                thread.peer_name.clone_from(&peer.name);
                thread.active_at = thread.active_at.max(active_at);
            }
            None => self.threads.push(Thread {
                id: conversation.id,
                peer: peer.user,
                peer_name: peer.name.clone(),
                heard_in: None,
                active_at,
                unread: 0,
                messages: Vec::new(),
                outbox: Vec::new(),
            }),
        }
        self.sort();
    }

    /// A message arrived, or was read from the history. It counts as unread if it is from the peer, is new, and
    /// `seen` is not.
    pub(crate) fn arrived(&mut self, conversation: ConversationId, entry: Entry, seen: bool) -> Novelty {
        let Some(thread) = self.thread_mut(conversation) else { return Novelty::Known };
        if entry.mine {
            // The server's confirmation may come this way before the answer to the send does.
            thread.outbox.retain(|unsent| Some(unsent.sealed.id) != entry.client_id);
        }
        let (mine, sent_at) = (entry.mine, entry.sent_at);
        let novelty = thread.insert(entry);
        if novelty == Novelty::New {
            if !mine && !seen {
                thread.unread = thread.unread.saturating_add(1);
            }
            thread.active_at = thread.active_at.max(sent_at);
            self.sort();
        }
        novelty
    }

    /// Something to send was written down.
    pub(crate) fn queued(&mut self, unsent: Unsent) {
        let at = unsent.sealed.sent_at;
        if let Some(thread) = self.thread_mut(unsent.sealed.conversation) {
            thread.outbox.push(unsent);
            thread.active_at = thread.active_at.max(at);
            self.sort();
        }
    }

    /// The server has stored a message.
    pub(crate) fn stored(&mut self, id: ClientMessageId, stored: &Stored) {
        for thread in &mut self.threads {
            if let Some(at) = thread.outbox.iter().position(|unsent| unsent.sealed.id == id) {
                let unsent = thread.outbox.remove(at);
                thread.insert(Entry {
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

    /// The message that waits under this id.
    pub(crate) fn unsent_mut(&mut self, id: ClientMessageId) -> Option<&mut Unsent> {
        self.threads.iter_mut().flat_map(|thread| &mut thread.outbox).find(|unsent| unsent.sealed.id == id)
    }

    pub(crate) fn thread(&self, id: ConversationId) -> Option<&Thread> {
        self.threads.iter().find(|thread| thread.id == id)
    }

    pub(crate) fn thread_mut(&mut self, id: ConversationId) -> Option<&mut Thread> {
        self.threads.iter_mut().find(|thread| thread.id == id)
    }

    /// Everything that waits and was not refused, oldest first.
    pub(crate) fn waiting(&self) -> Vec<OutgoingMessage> {
        let waiting = self.threads.iter().flat_map(|thread| &thread.outbox);
        let mut waiting: Vec<_> =
            waiting.filter(|unsent| unsent.refused.is_none()).map(|unsent| unsent.sealed.clone()).collect();
        waiting.sort_by_key(|sealed| sealed.sent_at);
        waiting
    }

    fn sort(&mut self) {
        self.threads.sort_by(|a, b| b.active_at.cmp(&a.active_at).then(a.id.cmp(&b.id)));
    }
}

impl Thread {
    /// Where older messages have to be read from: the first of those that stand without a hole up to the newest.
    /// `None` if nothing older exists.
    pub(crate) fn oldest_without_hole(&self) -> Option<u64> {
        let mut oldest = self.messages.last()?.sequence;
        for entry in self.messages.iter().rev().skip(1) {
            if entry.sequence + 1 != oldest {
                break;
            }
            oldest = entry.sequence;
        }
        (oldest > 1).then_some(oldest)
    }

    /// Lets go of old messages, which the server still has.
    pub(crate) fn trim(&mut self) {
        let surplus = self.messages.len().saturating_sub(KEPT);
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
