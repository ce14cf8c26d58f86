//! The reaction of the program to keys and to network events. It uses neither a terminal nor a
//! network.

use std::collections::VecDeque;
use std::sync::Arc;

use dm_client::sign_in::Person;
use dm_client::{Conversation, ConversationId, Entropy, Identity, Message, PeerKey, Reader, UserId};

use crate::input::Input;
use crate::net::{Command, Link, NetEvent};
use crate::plain;
use crate::state::{Entry, State, Text};

mod keys;

/// Maximum number of commands that wait for the network. A key press makes few commands, so a
/// person does not reach the limit.
const MAX_COMMANDS: usize = 1_024;

/// The program's state: the saved state, and the state of the screen.
pub(crate) struct App {
    pub(crate) state: State,
    /// Whether the state differs from the state file.
    pub(crate) changed: bool,
    pub(crate) name: String,
    identity: Arc<Identity>,
    reader: Reader,
    entropy: Box<dyn Entropy>,
    pub(crate) focus: Focus,
    /// The index of the highlighted conversation in the list.
    pub(crate) selected: usize,
    pub(crate) open: Option<ConversationId>,
    pub(crate) input: Input,
    pub(crate) people: People,
    /// Number of screen lines between the last line shown and the newest line.
    pub(crate) scroll: usize,
    pub(crate) loading_older: bool,
    pub(crate) link: Link,
    /// A message to the user, shown until the next key.
    pub(crate) notice: Option<String>,
    pub(crate) quits: bool,
    pub(crate) commands: VecDeque<Command>,
}

/// The part of the screen that receives keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Focus {
    List,
    Message,
    People,
}

/// The search for users.
#[derive(Debug, Default)]
pub(crate) struct People {
    pub(crate) query: Input,
    /// The last result with its query.
    pub(crate) found: Option<(String, Vec<Person>)>,
    pub(crate) selected: usize,
}

impl App {
    pub(crate) fn new(
        identity: Arc<Identity>,
        name: String,
        state: State,
        entropy: Box<dyn Entropy>,
    ) -> Self {
        let reader = Reader::new(Arc::clone(&identity));
        let me = identity.user_id();
        for conversation in &state.conversations {
            if let Some(suite) = conversation.strongest_suite {
                reader.remember_suite(&conversation.peer, suite);
            }
            for entry in &conversation.messages {
                if let Some(id) = entry.client_id {
                    let sender = if entry.mine { &me } else { &conversation.peer };
                    reader.remember(sender, id, entry.id, entry.sequence);
                }
            }
        }
        let commands = state.waiting().into_iter().map(Command::Deliver).collect();
        Self {
            state,
            changed: false,
            name,
            identity,
            reader,
            entropy,
            focus: Focus::List,
            selected: 0,
            open: None,
            input: Input::default(),
            people: People::default(),
            scroll: 0,
            loading_older: false,
            link: Link::Connecting,
            notice: None,
            quits: false,
            commands,
        }
    }

    /// Applies a network event.
    pub(crate) fn apply(&mut self, event: NetEvent) {
        match event {
            NetEvent::Link(link) => self.link = link,
            NetEvent::SignedIn { server_id, own_key_version } => {
                self.state.server_id = Some(server_id);
                self.state.own_key_version = own_key_version;
                self.changed = true;
            }
            NetEvent::Conversations(conversations) => {
                for conversation in &conversations {
                    self.conversation(conversation);
                }
            }
            NetEvent::Opened(conversation) => {
                self.conversation(&conversation);
                self.show(conversation.id);
            }
            NetEvent::Message(message) => self.message(&message),
            NetEvent::Older { conversation, messages } => {
                for message in &messages {
                    self.message(message);
                }
                if self.open == Some(conversation) {
                    self.loading_older = false;
                }
            }
            NetEvent::OlderFailed(reason) => {
                self.loading_older = false;
                self.notice = Some(reason);
            }
            NetEvent::Found { query, people } => {
                if query == self.people.query.text() {
                    self.people.found = Some((query, people));
                    self.people.selected = 0;
                }
            }
            NetEvent::Stored { id, stored } => {
                self.state.confirm(id, &stored);
                self.changed = true;
            }
            NetEvent::Refused { id, reason } => {
                if let Some(unsent) = self.state.unsent_mut(id) {
                    unsent.refused = Some(reason);
                    self.changed = true;
                }
            }
            NetEvent::Nothing => {}
            NetEvent::Failed(reason) => self.notice = Some(reason),
        }
    }

    /// Requests older messages of the open conversation. Called when its oldest line is on the
    /// screen.
    pub(crate) fn load_older(&mut self) {
        let Some(open) = self.open.and_then(|id| self.state.find(id)) else { return };
        let Some(before) = open.oldest_without_hole() else { return };
        if !self.loading_older && self.link == Link::Online {
            self.loading_older = true;
            let conversation = open.id;
            self.command(Command::Older { conversation, before });
        }
    }

    /// The index of the highlighted conversation; `None` if the list is empty.
    pub(crate) fn selection(&self) -> Option<usize> {
        self.state.conversations.len().checked_sub(1).map(|last| self.selected.min(last))
    }

    fn show(&mut self, id: ConversationId) {
        if let Some(conversation) = self.open.and_then(|id| self.state.find_mut(id)) {
            conversation.trim();
        }
        self.open = Some(id);
        self.focus = Focus::Message;
        self.scroll = 0;
        self.loading_older = false;
        self.selected =
            self.state.conversations.iter().position(|conversation| conversation.id == id).unwrap_or(0);
        if let Some(conversation) = self.state.find_mut(id) {
            self.changed |= conversation.unread > 0;
            conversation.unread = 0;
        }
    }

    fn conversation(&mut self, conversation: &Conversation) {
        self.keep_selection(|app| app.state.update(&app.identity.user_id(), conversation));
    }

    fn message(&mut self, message: &Message) {
        let me = self.identity.user_id();
        let Some(conversation) = self.state.find(message.conversation) else { return };
        let (text, client_id) = match self.reader.open(message, &PeerKey::derived(conversation.peer)) {
            Ok(opened) => {
                let text = String::from_utf8_lossy(&opened.plaintext).into_owned();
                (Text::Plain(text), opened.header.map(|header| header.message_id))
            }
            Err(error) => (Text::Unreadable(error.to_string()), None),
        };
        let entry = Entry {
            id: message.id,
            client_id,
            sequence: message.sequence,
            mine: message.sender == me,
            sent_at: message.sent_at,
            text,
        };
        let strongest_suite = self.reader.strongest_suite(&conversation.peer);
        let seen = self.open == Some(message.conversation);
        let reads_older = seen && self.scroll > 0;
        self.keep_selection(|app| {
            app.state.add(message.conversation, entry, seen);
            let Some(conversation) = app.state.find_mut(message.conversation) else { return };
            conversation.strongest_suite = strongest_suite;
            if !reads_older {
                conversation.trim();
            }
        });
    }

    /// Changes the state. The same conversation stays highlighted, even if it moves in the list.
    fn keep_selection<T>(&mut self, change: impl FnOnce(&mut Self) -> T) {
        let selected = self
            .selection()
            .and_then(|at| self.state.conversations.get(at))
            .map(|conversation| conversation.id);
        change(self);
        self.changed = true;
        if let Some(at) =
            self.state.conversations.iter().position(|conversation| Some(conversation.id) == selected)
        {
            self.selected = at;
        }
    }

    fn command(&mut self, command: Command) {
        if self.commands.len() < MAX_COMMANDS {
            self.commands.push_back(command);
        } else {
            // A dropped message is still in the outbox, and is sent after the next start.
            self.notice = Some("too many commands at once".to_owned());
        }
    }
}

/// The name of a user with the fingerprint, to select a recipient by, because names are not unique.
pub(crate) fn shown_name(name: &str, user: &UserId) -> String {
    format!("{} · {}", plain::name(name), user.fingerprint())
}

#[cfg(test)]
mod tests;
