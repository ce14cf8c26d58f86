//! Drawing the screen. Every text from other users passes through [`plain`] first.

use chrono::NaiveDateTime;
use dm_client::Timestamp;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, List, ListItem, ListState, Paragraph};

use crate::app::{App, Focus, shown_name};
use crate::input::Input;
use crate::net::Link;
use crate::plain;

mod messages;

/// Converts a time to the local date and time.
pub(crate) type WallClock = fn(Timestamp) -> NaiveDateTime;

/// Width of the list of conversations, in columns.
const LIST_WIDTH: u16 = 28;
/// Minimum width, in columns, to show the list and the conversation side by side.
const MIN_WIDTH_FOR_BOTH: u16 = 70;
const QUIET: Style = Style::new().fg(Color::DarkGray);

/// Draws the screen. Returns whether the oldest message of the open conversation that is kept on
/// this device is visible.
pub(crate) fn draw(frame: &mut Frame<'_>, app: &mut App, now: Timestamp, wall: WallClock) -> bool {
    let [main, status, help] =
        Layout::vertical([Constraint::Min(3), Constraint::Length(1), Constraint::Length(1)])
            .areas(frame.area());
    let mut at_top = false;
    if main.width < MIN_WIDTH_FOR_BOTH {
        match app.open {
            Some(_) if app.focus != Focus::List => at_top = conversation(frame, main, app, now, wall),
            _ => list(frame, main, app),
        }
    } else {
        let [left, right] =
            Layout::horizontal([Constraint::Length(LIST_WIDTH), Constraint::Min(20)]).areas(main);
        list(frame, left, app);
        at_top = conversation(frame, right, app, now, wall);
    }
    if app.focus == Focus::People {
        people(frame, main, app);
    }
    frame.render_widget(status_line(app), status);
    frame.render_widget(Paragraph::new(help_text(app.focus)).style(QUIET), help);
    at_top
}

fn list(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let block = framed(" Conversations ".to_owned(), app.focus == Focus::List);
    if app.state.conversations.is_empty() {
        let hint = "\n No conversations yet.\n Press n to find people.";
        return frame.render_widget(Paragraph::new(hint).style(QUIET).block(block), area);
    }
    let width = usize::from(area.width.saturating_sub(4));
    let items = app.state.conversations.iter().map(|conversation| {
        let waiting = if conversation.outbox.is_empty() { "" } else { " …" };
        let unread =
            if conversation.unread > 0 { format!(" ({})", conversation.unread) } else { String::new() };
        let available = width.saturating_sub(Span::raw(&unread).width() + Span::raw(waiting).width());
        let name = Span::raw(cut(&plain::name(&conversation.peer_name), available));
        let bold = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);
        ListItem::new(Line::from(vec![name, Span::styled(unread, bold), Span::styled(waiting, QUIET)]))
    });
    let list = List::new(items)
        .block(block)
        .highlight_symbol("▸ ")
        .highlight_style(Style::new().add_modifier(Modifier::BOLD));
    let mut state = ListState::default().with_selected(app.selection());
    frame.render_stateful_widget(list, area, &mut state);
}

fn conversation(frame: &mut Frame<'_>, area: Rect, app: &mut App, now: Timestamp, wall: WallClock) -> bool {
    let [above, below] = Layout::vertical([Constraint::Min(1), Constraint::Length(3)]).areas(area);
    let focused = app.focus == Focus::Message;
    let Some(conversation) = app.open.and_then(|id| app.state.find(id)) else {
        let hint = "\n Choose a conversation, or press Ctrl-N to find people.";
        frame.render_widget(Paragraph::new(hint).style(QUIET).block(framed(String::new(), false)), area);
        return false;
    };
    let block = framed(format!(" {} ", shown_name(&conversation.peer_name, &conversation.peer)), focused);
    let inside = block.inner(above);
    let mut lines = messages::lines(conversation, usize::from(inside.width), now, wall);
    if app.loading_older {
        lines.insert(0, Line::styled("reading older messages …", QUIET).centered());
    }
    let height = usize::from(inside.height);
    app.scroll = app.scroll.min(lines.len().saturating_sub(height));
    let first = lines.len().saturating_sub(height + app.scroll);
    let shown: Vec<_> = lines.into_iter().skip(first).take(height).collect();
    frame.render_widget(Paragraph::new(shown).block(block), above);

    let title = if app.scroll > 0 { " newer messages below ↓ " } else { "" };
    input(frame, below, &app.input, title.to_owned(), focused);
    first == 0
}

fn people(frame: &mut Frame<'_>, area: Rect, app: &App) {
    // The width fits the longest name and its fingerprint.
    let area = area.centered(Constraint::Max(74), Constraint::Max(16));
    frame.render_widget(Clear, area);
    let [above, below] = Layout::vertical([Constraint::Length(3), Constraint::Min(1)]).areas(area);
    input(frame, above, &app.people.query, " Find people by name ".to_owned(), true);
    let block = Block::new().borders(Borders::ALL);
    let current = app.people.found.as_ref().filter(|(query, _)| query == app.people.query.text());
    let Some((_, found)) = current else {
        return frame.render_widget(
            Paragraph::new(" Three letters of a name, or a whole one; then Enter.").style(QUIET).block(block),
            below,
        );
    };
    if found.is_empty() {
        return frame
            .render_widget(Paragraph::new(" No user of that name.").style(QUIET).block(block), below);
    }
    let items = found.iter().map(|person| ListItem::new(shown_name(&person.name, &person.user)));
    let list = List::new(items).block(block).highlight_symbol("▸ ");
    let mut state = ListState::default().with_selected(Some(app.people.selected));
    frame.render_stateful_widget(list, below, &mut state);
}

/// Draws an input line, scrolled so that its cursor is visible.
fn input(frame: &mut Frame<'_>, area: Rect, input: &Input, title: String, focused: bool) {
    let block = framed(title, focused);
    let inside = block.inner(area);
    let (before, after) = input.split();
    let (mut before, after) = (plain::line(before), plain::line(after));
    let available = usize::from(inside.width.saturating_sub(1));
    // Only the text near the cursor is visible, so the rest is not measured.
    let surplus = before.chars().count().saturating_sub(available);
    before = before.chars().skip(surplus).collect();
    while Span::raw(&before).width() > available {
        before.remove(0);
    }
    let column = u16::try_from(Span::raw(&before).width()).unwrap_or(0);
    let after: String = after.chars().take(available).collect();
    frame.render_widget(Paragraph::new(format!("{before}{after}")).block(block), area);
    if focused {
        frame.set_cursor_position(Position::new(inside.x.saturating_add(column), inside.y));
    }
}

fn status_line(app: &App) -> Line<'_> {
    let (mark, color, text) = match &app.link {
        Link::Connecting => ("○", Color::Yellow, "connecting …".to_owned()),
        Link::Online => ("●", Color::Green, "online".to_owned()),
        Link::Offline { reason, retry_in } => {
            let seconds = retry_in.as_secs().max(1);
            ("○", Color::Yellow, format!("offline: {}; next attempt in {seconds} s", plain::line(reason)))
        }
        Link::Stopped(reason) => {
            ("○", Color::Red, format!("stopped: {}; Ctrl-R connects again", plain::line(reason)))
        }
    };
    let mut spans = vec![
        Span::styled(format!(" {mark} "), Style::new().fg(color)),
        Span::styled(plain::name(&app.name), Style::new().add_modifier(Modifier::BOLD)),
        Span::raw(format!(" · {text}")),
    ];
    if let Some(notice) = &app.notice {
        spans.push(Span::styled(format!(" · {}", plain::line(notice)), Style::new().fg(Color::Red)));
    }
    Line::from(spans)
}

fn help_text(focus: Focus) -> &'static str {
    match focus {
        Focus::List => " ↑↓ choose · Enter open · n find people · Tab write · q quit",
        Focus::Message => {
            " Enter send · Alt-Enter new line · ↑↓ PgUp PgDn scroll · Tab list · Ctrl-N find people · Ctrl-Q quit"
        }
        Focus::People => " type a name · Enter search, then open · ↑↓ choose · Esc back",
    }
}

fn framed(title: String, focused: bool) -> Block<'static> {
    let color = if focused { Color::Cyan } else { Color::DarkGray };
    Block::new().borders(Borders::ALL).border_style(Style::new().fg(color)).title(title)
}

/// The beginning of a text, at most `columns` columns wide, with a mark if it is cut.
fn cut(text: &str, columns: usize) -> String {
    if Span::raw(text).width() <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    for character in text.chars() {
        cut.push(character);
        if Span::raw(&cut).width() >= columns {
            cut.pop();
            break;
        }
    }
    cut + "…"
}

#[cfg(test)]
mod tests;
