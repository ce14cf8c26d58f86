//! The pattern of a search.

use crate::name::fold;

/// Minimum number of characters to search parts of names. With fewer, a client could list the
/// accounts letter by letter.
const MIN_PART_CHARS: usize = 3;

/// The LIKE pattern of a search text, for folded names; `None` for an empty text. A text of three
/// or more characters matches a part of a name, a shorter text matches a whole name. Characters are
/// counted in normal form C.
pub(super) fn pattern(text: &str) -> Option<String> {
    let folded = fold(text.trim());
    if folded.is_empty() {
        return None;
    }
    let literal = folded.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
    Some(if folded.chars().count() < MIN_PART_CHARS { literal } else { format!("%{literal}%") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_characters_match_a_part_and_fewer_a_whole_name_in_any_script() {
        for (text, expected) in [
            ("", None),
            ("   ", None),
            ("A", Some("a")),
            (" Bo ", Some("bo")),
            ("ана", Some("%ана%")),
            ("ан", Some("ан")),
            ("山田", Some("山田")),
            // Two characters of eight bytes in UTF-8; then names whose accents are separate code
            // points.
            ("𝒳𝒴", Some("𝒳𝒴")),
            ("Ze\u{301}e\u{301}", Some("%zéé%")),
            ("Ze\u{301}", Some("zé")),
            (r"5%_\", Some(r"%5\%\_\\%")),
        ] {
            assert_eq!(pattern(text).as_deref(), expected, "{text:?}");
        }
    }
}
