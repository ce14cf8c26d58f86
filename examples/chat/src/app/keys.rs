//! The effects of keys.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use dm_client::{ClientMessageId, NewMessage, OutgoingMessage, PeerKey, Timestamp};

use super::{App, Focus, People};
use crate::input::Input;
use crate::net::Command;
use crate::state::Unsent;

impl App {
    /// Applies a key that was pressed at `now`.
    pub(crate) fn key(&mut self, key: KeyEvent, now: Timestamp) {
        self.notice = None;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'q') if control => self.quits = true,
            KeyCode::Char('n') if control => self.find_people(),
            KeyCode::Char('r') if control => self.send_refused_again(),
            _ => match self.focus {
                Focus::List => self.list_key(key.code),
                Focus::Message => self.message_key(key, now),
                Focus::People => self.people_key(key),
            },
        }
    }

    /// Applies pasted text.
    pub(crate) fn paste(&mut self, text: &str) {
        match self.focus {
            Focus::List => {}
            Focus::Message => self.input.paste(text),
            Focus::People => self.people.query.paste(&text.replace(['\r', '\n'], " ")),
        }
    }

    fn list_key(&mut self, code: KeyCode) {
        let selected = self.selection().unwrap_or(0);
        match code {
            KeyCode::Up => self.selected = selected.saturating_sub(1),
            KeyCode::Down => self.selected = selected.saturating_add(1),
            KeyCode::Enter | KeyCode::Right => {
                if let Some(conversation) = self.state.conversations.get(selected) {
                    self.show(conversation.id);
                }
            }
            KeyCode::Tab if self.open.is_some() => self.focus = Focus::Message,
            KeyCode::Char('n' | '/') => self.find_people(),
            KeyCode::Char('q') => self.quits = true,
            _ => {}
        }
    }

    fn message_key(&mut self, key: KeyEvent, now: Timestamp) {
        match key.code {
            KeyCode::Esc => {
                self.open = None;
                self.focus = Focus::List;
            }
            KeyCode::Tab => self.focus = Focus::List,
            KeyCode::Enter if key.modifiers.contains(KeyModifiers::ALT) => self.input.insert('\n'),
            KeyCode::Enter => self.send(now),
            KeyCode::Up => self.scroll = self.scroll.saturating_add(1),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_add(10),
            KeyCode::Down => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageDown => self.scroll = self.scroll.saturating_sub(10),
            _ => edit(&mut self.input, key),
        }
    }

    fn people_key(&mut self, key: KeyEvent) {
        let found = match &self.people.found {
            Some((query, people)) if query == self.people.query.text() => Some(people),
            _ => None,
        };
        let last = found.map_or(0, |people| people.len().saturating_sub(1));
        match key.code {
            KeyCode::Esc => self.focus = if self.open.is_some() { Focus::Message } else { Focus::List },
            KeyCode::Up => self.people.selected = self.people.selected.saturating_sub(1),
            KeyCode::Down => self.people.selected = (self.people.selected + 1).min(last),
            KeyCode::Enter => match found {
                None => self.command(Command::Find(self.people.query.text().to_owned())),
                Some(people) => {
                    if let Some(person) = people.get(self.people.selected) {
                        let user = person.user;
                        self.command(Command::Open(user));
                    }
                }
            },
            _ => edit(&mut self.people.query, key),
        }
    }

    fn find_people(&mut self) {
        self.people = People::default();
        self.focus = Focus::People;
    }

    /// Sends the refused messages of the open conversation again, and reconnects.
    fn send_refused_again(&mut self) {
        let mut again = Vec::new();
        if let Some(conversation) = self.open.and_then(|id| self.state.find_mut(id)) {
            for unsent in conversation.outbox.iter_mut().filter(|unsent| unsent.refused.is_some()) {
                unsent.refused = None;
                again.push(Command::Deliver(unsent.sealed.clone()));
            }
        }
        self.changed |= !again.is_empty();
        self.command(Command::Reconnect);
        again.into_iter().for_each(|command| self.command(command));
    }

    /// Encrypts the typed text and adds the message to the outbox. The message is sent once the
    /// state is saved.
    fn send(&mut self, now: Timestamp) {
        let Some(conversation) = self.open.and_then(|id| self.state.find(id)) else { return };
        if self.input.text().trim().is_empty() {
            return;
        }
        // The key is derived from the peer's user id, so no server can substitute another.
        let mut message = NewMessage::new(
            conversation.id,
            PeerKey::derived(conversation.peer),
            self.input.text().as_bytes(),
        );
        // A peer whose client knows only suite 0 cannot read another suite.
        message.suite = self.reader.reply_suite(&conversation.peer);
        message.own_key_version = self.state.own_key_version;
        let sealed = ClientMessageId::generate(&mut *self.entropy)
            .map_err(Into::into)
            .and_then(|id| OutgoingMessage::seal(&self.identity, &message, id, now, &mut *self.entropy));
        match sealed {
            Ok(sealed) => {
                let text = self.input.take();
                self.state.enqueue(Unsent { text, sealed: sealed.clone(), refused: None });
                self.command(Command::Deliver(sealed));
                self.changed = true;
                self.scroll = 0;
                self.selected = 0;
            }
            Err(error) => self.notice = Some(format!("cannot encrypt: {error}")),
        }
    }
}

/// Applies an editing key.
fn edit(input: &mut Input, key: KeyEvent) {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('w') if control => input.delete_word(),
        KeyCode::Char('u') if control => drop(input.take()),
        KeyCode::Char('a') if control => input.home(),
        KeyCode::Char('e') if control => input.end(),
        KeyCode::Char(character) if !control => input.insert(character),
        KeyCode::Backspace => input.backspace(),
        KeyCode::Delete => input.delete(),
        KeyCode::Left => input.left(),
        KeyCode::Right => input.right(),
        KeyCode::Home => input.home(),
        KeyCode::End => input.end(),
        _ => {}
    }
}
