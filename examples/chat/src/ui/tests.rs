//! Tests of the content of the screen.

use std::sync::Arc;
use std::time::Duration;

use dm_client::{OsEntropy, Timestamp};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::state::tests::{conversation, entry, identity, unsent};
use crate::state::{State, Text};

fn utc(at: Timestamp) -> NaiveDateTime {
    chrono::DateTime::from_timestamp_millis(i64::try_from(at.as_millis()).unwrap()).unwrap().naive_utc()
}

/// 14 November 2023, 22:15.
const NOW: Timestamp = Timestamp::from_millis(1_700_000_100_000);

fn app(state: State) -> App {
    App::new(Arc::new(identity(1)), "ana".to_owned(), state, Box::new(OsEntropy))
}

fn screen(app: &mut App, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| {
            draw(frame, app, NOW, utc);
        })
        .unwrap();
    terminal.backend().to_string()
}

fn with_messages() -> App {
    let mut ben = conversation(1, "Ben");
    ben.messages = vec![entry(1, false, "at noon?"), entry(2, true, "yes")];
    ben.outbox = vec![unsent(&ben, 1, "or one"), unsent(&ben, 2, "or two")];
    ben.outbox[1].refused = Some("blocked".to_owned());
    let mut cleo = conversation(2, "Cleo");
    cleo.unread = 12;
    let open = ben.id;
    let mut app = app(State { conversations: vec![ben, cleo], ..State::default() });
    app.open = Some(open);
    app.focus = Focus::Message;
    app
}

#[test]
fn messages_have_time_and_status_and_the_list_has_unread_counts() {
    let mut app = with_messages();
    app.link = Link::Online;
    let screen = screen(&mut app, 100, 20);
    for part in [
        "22:13 Ben",
        &format!("Ben · {} ", identity(2).user_id().fingerprint()),
        "at noon?",
        "22:13 me ✓",
        "me … queued",
        "or one",
        "✗ not sent: blocked",
        "Cleo (12)",
        "Ben …",
        "── Today ──",
        "● ana · online",
        "Enter send",
    ] {
        assert!(screen.contains(part), "{part} is missing:\n{screen}");
    }
}

#[test]
fn control_characters_from_other_users_do_not_reach_the_terminal() {
    let evil = "\x1b[31mred\x07\u{9b}2J\u{202e}";
    let mut ben = conversation(1, evil);
    ben.messages = vec![entry(1, false, evil), entry(2, false, "")];
    ben.messages[1].text = Text::Unreadable(evil.to_owned());
    ben.outbox = vec![unsent(&ben, 1, evil)];
    ben.outbox[0].refused = Some(evil.to_owned());
    let open = ben.id;
    let mut app = app(State { conversations: vec![ben], ..State::default() });
    app.open = Some(open);
    app.notice = Some(evil.to_owned());
    app.input.paste(evil);
    for link in
        [Link::Stopped(evil.to_owned()), Link::Offline { reason: evil.to_owned(), retry_in: Duration::ZERO }]
    {
        app.link = link;
        for focus in [Focus::List, Focus::Message, Focus::People] {
            app.focus = focus;
            let screen = screen(&mut app, 120, 24);
            let bad =
                |character: char| character != '\n' && (character.is_control() || character == '\u{202e}');
            assert!(!screen.contains(bad), "{screen:?}");
        }
    }
    app.focus = Focus::Message;
    assert!(screen(&mut app, 120, 24).contains("␛[31mred␇"));
}

#[test]
fn scrolling_ends_at_the_first_message_and_shows_that_there_are_newer_ones() {
    let mut ben = conversation(1, "Ben");
    ben.messages = (1..=100).map(|sequence| entry(sequence, false, &format!("number {sequence}."))).collect();
    let open = ben.id;
    let mut app = app(State { conversations: vec![ben], ..State::default() });
    app.open = Some(open);
    app.focus = Focus::Message;
    let bottom = screen(&mut app, 100, 20);
    assert!(bottom.contains("number 100.") && !bottom.contains("number 1.") && !bottom.contains("newer"));
    app.scroll = usize::MAX;
    let top = screen(&mut app, 100, 20);
    assert!(
        top.contains("number 1.") && !top.contains("number 100.") && top.contains("newer messages below")
    );
    assert!(app.scroll < 300);
}

#[test]
fn a_screen_of_any_size_is_drawn() {
    let mut app = with_messages();
    app.input.paste(&"wide 漢字 text ".repeat(50));
    for focus in [Focus::List, Focus::Message, Focus::People] {
        app.focus = focus;
        for (width, height) in [(1, 1), (2, 3), (10, 4), (40, 10), (69, 24), (70, 24), (200, 60)] {
            screen(&mut app, width, height);
        }
    }
}

#[test]
fn an_empty_screen_says_how_to_begin() {
    let screen = screen(&mut app(State::default()), 100, 12);
    assert!(screen.contains("No conversations yet.") && screen.contains("n find people"), "{screen}");
}
