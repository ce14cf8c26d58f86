//! The messages of a conversation as lines of the screen.

use dm_client::Timestamp;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use super::{QUIET, WallClock};
use crate::plain;
use crate::state::{Entry, LocalConversation, Text, Unsent};

/// The delivery state of a message.
enum Status {
    Received,
    Stored,
    Queued,
    Refused(String),
}

/// The lines of all messages, oldest first, none wider than `width` columns.
pub(super) fn lines(
    conversation: &LocalConversation,
    width: usize,
    now: Timestamp,
    wall: WallClock,
) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut day = None;
    let name = plain::name(&conversation.peer_name);
    let mut push = |at: Timestamp, name: &str, text: &str, style: Style, status: Status| {
        let at_wall = wall(at);
        if day.replace(at_wall.date()) != Some(at_wall.date()) {
            let is_today = wall(now).date() == at_wall.date();
            let label =
                if is_today { "Today".to_owned() } else { at_wall.format("%A, %-d %B %Y").to_string() };
            lines.push(Line::styled(format!("── {label} ──"), QUIET).centered());
        }
        lines.extend(message(&at_wall.format("%H:%M").to_string(), name, text, style, &status, width));
    };
    for Entry { mine, sent_at, text, .. } in &conversation.messages {
        let (author, status) = if *mine { ("me", Status::Stored) } else { (name.as_str(), Status::Received) };
        match text {
            Text::Plain(text) => push(*sent_at, author, text, Style::new(), status),
            Text::Unreadable(reason) => push(*sent_at, author, &format!("[{reason}]"), QUIET, status),
        }
    }
    for Unsent { text, sealed, refused } in &conversation.outbox {
        let status = refused.clone().map_or(Status::Queued, Status::Refused);
        push(sealed.sent_at, "me", text, QUIET, status);
    }
    lines
}

fn message(
    time: &str,
    name: &str,
    text: &str,
    style: Style,
    status: &Status,
    width: usize,
) -> Vec<Line<'static>> {
    let name_style = match status {
        Status::Received => Style::new().fg(Color::Cyan),
        Status::Stored | Status::Queued | Status::Refused(_) => Style::new().fg(Color::Green),
    };
    let mut lines = vec![Line::from(vec![
        Span::styled(format!("{time} "), QUIET),
        Span::styled(name.to_owned(), name_style),
        match status {
            Status::Received => Span::raw(""),
            Status::Stored => Span::styled(" ✓", Style::new().fg(Color::Green)),
            Status::Queued => Span::styled(" … queued", QUIET),
            Status::Refused(reason) => {
                let reason = plain::line(reason);
                Span::styled(
                    format!(" ✗ not sent: {reason}; Ctrl-R tries again"),
                    Style::new().fg(Color::Red),
                )
            }
        },
    ])];
    for line in plain::lines(text) {
        let wrapped = wrap(&line, width.saturating_sub(INDENT.len()).max(1));
        lines.extend(wrapped.into_iter().map(|part| Line::styled(format!("{INDENT}{part}"), style)));
    }
    lines
}

/// The indent of the text. It is as wide as the time.
const INDENT: &str = "      ";

/// Wraps a line between words, and inside a word that is wider than the line.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut current, mut used) = (String::new(), 0);
    for word in line.split_inclusive(' ') {
        let columns = Span::raw(word.trim_end()).width();
        if used > 0 && used + columns > width {
            lines.push(std::mem::take(&mut current));
            used = 0;
        }
        if columns <= width {
            current.push_str(word);
            used += Span::raw(word).width();
            continue;
        }
        let mut buffer = [0; 4];
        for character in word.chars() {
            let columns = Span::raw(&*character.encode_utf8(&mut buffer)).width();
            if used > 0 && used + columns > width {
                lines.push(std::mem::take(&mut current));
                used = 0;
            }
            current.push(character);
            used += columns;
        }
    }
    lines.push(current);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wrap_between_words_and_only_inside_long_ones() {
        assert_eq!(wrap("see you at noon", 8), ["see you ", "at noon"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("日本語日本語", 5), ["日本", "語日", "本語"]);
    }

    #[test]
    fn no_wrapped_line_is_too_wide_and_no_text_is_lost() {
        let text = "a bb ccc  dddd eeeeeeeeeeeeeeeeeeeeee 漢字漢字漢字 f";
        for width in 2..40 {
            let lines = wrap(text, width);
            assert!(
                lines.iter().all(|line| Span::raw(line.trim_end()).width() <= width),
                "{width} {lines:?}"
            );
            assert_eq!(lines.concat(), text);
        }
    }
}
