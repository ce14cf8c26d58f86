//! Text from other users, made safe for a terminal.
//!
//! A control character in a name or a message could move the cursor, recolour the screen, set the
//! window's title or make a terminal send input. A direction override could make a text read as
//! another. Such characters are replaced by visible ones.

/// Maximum length of a name on the screen, in characters.
const MAX_NAME_CHARS: usize = 40;

/// The lines of a message, without control characters.
pub(crate) fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n");
    text.split('\n').map(|line| line.chars().flat_map(shown).collect()).collect()
}

/// A text as one line, without control characters.
pub(crate) fn line(text: &str) -> String {
    text.chars().flat_map(shown).collect()
}

/// A display name in one line of bounded length; never empty.
pub(crate) fn name(text: &str) -> String {
    let mut name: String = line(text.trim()).chars().take(MAX_NAME_CHARS).collect();
    if text.trim().chars().count() > MAX_NAME_CHARS {
        name.push('…');
    }
    if name.is_empty() { "(no name)".to_owned() } else { name }
}

fn shown(character: char) -> impl Iterator<Item = char> {
    let (first, times) = match character {
        '\t' => (' ', 4),
        // The symbols for control characters, from U+2400, have the same order.
        '\0'..='\x1f' => (char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}'), 1),
        '\x7f' => ('\u{2421}', 1),
        _ if is_control(character) => ('\u{fffd}', 1),
        _ => (character, 1),
    };
    std::iter::repeat_n(first, times)
}

/// Whether a character has no glyph and an effect: C1 controls, line separators, marks and
/// overrides of direction, invisible operators, byte order marks, tags.
fn is_control(character: char) -> bool {
    matches!(character,
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'
        | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_is_left() {
        let everything: String = (0..=0x10_ffff).filter_map(char::from_u32).collect();
        for line in lines(&everything) {
            assert!(!line.chars().any(|character| character.is_control() || is_control(character)));
        }
    }

    #[test]
    fn escape_sequences_are_shown_as_symbols() {
        assert_eq!(line("\x1b[2J\x07\u{9b}31m"), "␛[2J␇\u{fffd}31m");
        assert_eq!(line("abc\u{202e}fed"), "abc\u{fffd}fed");
    }

    #[test]
    fn ordinary_text_is_not_changed() {
        let text = "Grüße, привет, שלום, 👩‍👩‍👧 e\u{301} ✓";
        assert_eq!(line(text), text);
        assert_eq!(lines("one\r\ntwo\n\n\tthree"), ["one", "two", "", "    three"]);
    }

    #[test]
    fn a_name_is_one_short_line_and_never_empty() {
        assert_eq!(name("  Ana\nB. "), "Ana␊B.");
        assert_eq!(name(&"x".repeat(100)), format!("{}…", "x".repeat(40)));
        assert_eq!(name(" \n "), "(no name)");
    }
}
