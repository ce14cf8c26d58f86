//! Tests of the reaction to keys and network events.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use dm_client::{OsEntropy, OutgoingMessage, ServerSequence, Stored, Timestamp};

use super::*;
use crate::state::tests::{conversation, entry, identity};

/// The time of every key.
const NOW: Timestamp = Timestamp::from_millis(5_000);

fn app() -> App {
    let state =
        State { conversations: vec![conversation(1, "Ben"), conversation(2, "Cleo")], ..State::default() };
    App::new(Arc::new(identity(1)), "ana".to_owned(), state, Box::new(OsEntropy))
}

fn press(app: &mut App, codes: impl IntoIterator<Item = KeyCode>) {
    for code in codes {
        app.key(KeyEvent::new(code, KeyModifiers::NONE), NOW);
    }
}

fn write(app: &mut App, text: &str) {
    press(app, text.chars().map(KeyCode::Char));
}

fn control(app: &mut App, character: char) {
    app.key(KeyEvent::new(KeyCode::Char(character), KeyModifiers::CONTROL), NOW);
}

fn delivered(app: &mut App) -> Vec<OutgoingMessage> {
    app.commands
        .drain(..)
        .filter_map(|command| if let Command::Deliver(message) = command { Some(message) } else { None })
        .collect()
}

#[test]
fn a_sent_message_is_in_the_outbox_before_the_network_gets_it_and_leaves_it_when_stored() {
    let mut app = app();
    press(&mut app, [KeyCode::Down, KeyCode::Enter]);
    write(&mut app, "at noon?");
    press(&mut app, [KeyCode::Enter]);
    assert!(app.changed && app.input.text().is_empty());
    assert_eq!(app.state.waiting(), delivered(&mut app));

    let (id, message) = (app.state.waiting()[0].id, entry(1, true, ""));
    let stored =
        Stored { id: message.id, sequence: ServerSequence::new(1), received_at: None, repeated: true };
    app.apply(NetEvent::Stored { id, stored });
    assert!(app.state.waiting().is_empty());
    let open = app.open.and_then(|id| app.state.find(id)).unwrap();
    assert_eq!(open.peer_name, "Cleo");
    assert_eq!(open.messages[0].text, Text::Plain("at noon?".to_owned()));
}

#[test]
fn a_waiting_message_is_sent_unchanged_after_a_restart() {
    let mut app = app();
    press(&mut app, [KeyCode::Enter, KeyCode::Char('x'), KeyCode::Enter]);
    let first = delivered(&mut app);
    let state = std::mem::take(&mut app.state);
    let mut again = App::new(Arc::new(identity(1)), "ana".to_owned(), state, Box::new(OsEntropy));
    assert_eq!((first.len(), delivered(&mut again)), (1, first));
}

#[test]
fn a_refused_message_is_sent_again_only_on_request() {
    let mut app = app();
    press(&mut app, [KeyCode::Enter, KeyCode::Char('x'), KeyCode::Enter]);
    let sent = delivered(&mut app);
    app.apply(NetEvent::Refused { id: sent[0].id, reason: "blocked".to_owned() });
    assert!(app.state.waiting().is_empty());
    control(&mut app, 'r');
    assert!(app.commands.iter().any(|command| matches!(command, Command::Reconnect)));
    assert_eq!(delivered(&mut app), sent);
}

#[test]
fn a_blank_message_is_not_sent() {
    let mut app = app();
    press(&mut app, [KeyCode::Enter, KeyCode::Char(' '), KeyCode::Enter]);
    assert!(delivered(&mut app).is_empty());
}

#[test]
fn opening_a_conversation_clears_its_unread_count_and_escape_closes_it() {
    let mut app = app();
    app.state.conversations[0].unread = 3;
    press(&mut app, [KeyCode::Enter]);
    assert_eq!((app.state.conversations[0].unread, app.focus), (0, Focus::Message));
    press(&mut app, [KeyCode::Esc]);
    assert_eq!((app.open, app.focus, app.quits), (None, Focus::List, false));
}

#[test]
fn a_search_sends_its_query_and_ignores_the_answer_to_another() {
    let mut app = app();
    control(&mut app, 'n');
    write(&mut app, "dan");
    press(&mut app, [KeyCode::Enter]);
    let asked: Vec<_> = app.commands.drain(..).collect();
    assert!(matches!(&asked[..], [Command::Find(query)] if query == "dan"), "{asked:?}");
    // A late answer to another query is not shown.
    app.apply(NetEvent::Found { query: String::new(), people: Vec::new() });
    assert!(app.people.found.is_none());
}

#[test]
fn older_messages_are_requested_once_and_only_while_connected() {
    let mut app = app();
    app.state.conversations[0].messages = vec![entry(8, false, ""), entry(9, false, "")];
    press(&mut app, [KeyCode::Enter]);
    app.load_older();
    assert!(app.commands.is_empty());
    app.apply(NetEvent::Link(Link::Online));
    app.load_older();
    app.load_older();
    assert!(
        matches!(app.commands.make_contiguous(), [Command::Older { before, .. }] if before.get() == 8),
        "{:?}",
        app.commands
    );
    app.apply(NetEvent::OlderFailed("no".to_owned()));
    app.load_older();
    assert_eq!(app.commands.len(), 2);
}

#[test]
fn the_same_conversation_stays_highlighted_when_another_moves_up() {
    let mut app = app();
    let cleo = app.state.conversations[1].id;
    press(&mut app, [KeyCode::Up]);
    app.keep_selection(|app| app.state.add(cleo, entry(1, false, "hi"), false));
    assert_eq!(app.state.conversations[app.selection().unwrap()].peer_name, "Ben");
}

#[test]
fn the_program_can_be_quit_from_every_focus() {
    for keys in [vec![], vec![KeyCode::Enter], vec![KeyCode::Char('n')]] {
        let mut app = app();
        press(&mut app, keys);
        control(&mut app, 'q');
        assert!(app.quits);
    }
}
