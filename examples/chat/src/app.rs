//! What the program does with keys and with what the network tells. No terminal and no network in here.

use std::{collections::VecDeque, sync::Arc};

use dm_client::{
    Conversation, ConversationId, Entropy, Identity, Message, PeerKey, PublicKey, Reader, sign_in::Person,
};

use crate::{
    input::Input,
    net::{Command, Link, News},
    plain,
    state::{Entry, State, Text},
};

mod keys;

/// Commands that wait to be taken by the network, at most; one per key press, so no person gets there.
const COMMANDS: usize = 1_024;

/// The program's state: what is kept, and what is on the screen.
pub(crate) struct App {
    pub(crate) state: State,
    /// Whether the state differs from what is on disk.
    pub(crate) changed: bool,
    pub(crate) name: String,
    identity: Arc<Identity>,
    reader: Reader,
    entropy: Box<dyn Entropy>,
    pub(crate) focus: Focus,
    /// Highlighted in the list.
    pub(crate) selected: usize,
    pub(crate) open: Option<ConversationId>,
    pub(crate) input: Input,
    pub(crate) people: People,
    /// Screen lines between the last line shown and the newest.
    pub(crate) scroll: usize,
    pub(crate) loading_older: bool,
    pub(crate) link: Link,
    /// Something to tell, until the next key.
    pub(crate) notice: Option<String>,
    pub(crate) over: bool,
    pub(crate) commands: VecDeque<Command>,
}

/// Where keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Focus {
    List,
    Message,
    People,
}

/// The search for people.
#[derive(Debug, Default)]
pub(crate) struct People {
    pub(crate) query: Input,
    /// What was found, and for which query.
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
        let me = identity.public_key();
        for thread in &state.threads {
            if let Some(suite) = thread.heard_in {
                reader.remember_suite(&thread.peer, suite);
            }
            for entry in &thread.messages {
                if let Some(id) = entry.client_id {
                    let sender = if entry.mine { &me } else { &thread.peer };
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
            over: false,
            commands,
        }
    }

    /// The network tells something.
    pub(crate) fn news(&mut self, news: News) {
        match news {
            News::Link(link) => self.link = link,
            News::SignedIn { server_id, own_key_version } => {
                self.state.server_id = Some(server_id);
                self.state.own_key_version = own_key_version;
                self.changed = true;
            }
            News::Conversations(conversations) => {
                for conversation in &conversations {
                    self.conversation(conversation);
                }
            }
            News::Opened(conversation) => {
                self.conversation(&conversation);
                self.show(conversation.id);
            }
            News::Message(message) => self.message(&message),
            News::Older { conversation, messages } => {
                for message in &messages {
                    self.message(message);
                }
                if self.open == Some(conversation) {
                    self.loading_older = false;
                }
            }
            News::OlderFailed(reason) => {
                self.loading_older = false;
                self.notice = Some(reason);
            }
            News::Found { query, people } => {
                if query == self.people.query.text() {
                    self.people.found = Some((query, people));
                    self.people.selected = 0;
                }
            }
            News::Stored { id, stored } => {
                self.state.stored(id, &stored);
                self.changed = true;
            }
            News::Refused { id, reason } => {
                if let Some(unsent) = self.state.unsent_mut(id) {
                    unsent.refused = Some(reason);
                    self.changed = true;
                }
            }
            News::Settled => {}
            News::Trouble(what) => self.notice = Some(what),
        }
    }

    /// The conversation on the screen is at its first line kept here: ask for older messages.
    pub(crate) fn reached_the_top(&mut self) {
        let Some(thread) = self.open.and_then(|id| self.state.thread(id)) else { return };
        let Some(before) = thread.oldest_without_hole() else { return };
        if !self.loading_older && self.link == Link::Online {
            self.loading_older = true;
            let conversation = thread.id;
            self.command(Command::Older { conversation, before });
        }
    }

    /// The highlighted place in the list, within it.
    pub(crate) fn selection(&self) -> Option<usize> {
        self.state.threads.len().checked_sub(1).map(|last| self.selected.min(last))
    }

    fn show(&mut self, id: ConversationId) {
        if let Some(thread) = self.open.and_then(|id| self.state.thread_mut(id)) {
            thread.trim();
        }
        self.open = Some(id);
        self.focus = Focus::Message;
        self.scroll = 0;
        self.loading_older = false;
        self.selected = self.state.threads.iter().position(|thread| thread.id == id).unwrap_or(0);
        if let Some(thread) = self.state.thread_mut(id) {
            self.changed |= thread.unread > 0;
            thread.unread = 0;
        }
    }

    fn conversation(&mut self, conversation: &Conversation) {
        self.keep_selection(|app| app.state.conversation(&app.identity.public_key(), conversation));
    }

    fn message(&mut self, message: &Message) {
        let me = self.identity.public_key();
        let Some(thread) = self.state.thread(message.conversation) else { return };
        let (text, client_id) = match self.reader.open(message, &PeerKey::derived(thread.peer)) {
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
        let heard_in = self.reader.heard_in(&thread.peer);
        let seen = self.open == Some(message.conversation);
        let reads_older = seen && self.scroll > 0;
        self.keep_selection(|app| {
            app.state.arrived(message.conversation, entry, seen);
            let Some(thread) = app.state.thread_mut(message.conversation) else { return };
            thread.heard_in = heard_in;
            if !reads_older {
                thread.trim();
            }
        });
    }

    /// Changes the state so that the same conversation stays highlighted, wherever it is then.
    fn keep_selection<T>(&mut self, change: impl FnOnce(&mut Self) -> T) {
        let selected = self.selection().and_then(|at| self.state.threads.get(at)).map(|thread| thread.id);
        change(self);
        self.changed = true;
        if let Some(at) = self.state.threads.iter().position(|thread| Some(thread.id) == selected) {
            self.selected = at;
        }
    }

    fn command(&mut self, command: Command) {
        if self.commands.len() < COMMANDS {
            self.commands.push_back(command);
        } else {
            // What was to be sent is in the outbox, and is taken up at the next start.
            self.notice = Some("too much at once".to_owned());
        }
    }
}

/// What to call somebody on the screen, where it is chosen whom to write to: names are not unique,
/// keys are.
pub(crate) fn shown_name(name: &str, user: &PublicKey) -> String {
    format!("{} · {}", plain::name(name), user.fingerprint())
}

#[cfg(test)]
mod tests;
