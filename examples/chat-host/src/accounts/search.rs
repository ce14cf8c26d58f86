//! Which names a search is for.

use crate::name::fold;

/// Fewest characters of a part of a name. Fewer would list the accounts a letter at a time.
const FEWEST: usize = 3;

/// A text as a LIKE pattern over folded names: one of three characters or more is found as a part
/// of a name, a shorter one as a whole name, and an empty one not at all. Characters are those of
/// the normal form C, of any script.
pub(super) fn pattern(text: &str) -> Option<String> {
    let folded = fold(text.trim());
    if folded.is_empty() {
        return None;
    }
    let literal = folded.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
    Some(if folded.chars().count() < FEWEST { literal } else { format!("%{literal}%") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_characters_are_a_part_and_fewer_a_whole_name_in_any_script() {
        for (text, expected) in [
            ("", None),
            ("   ", None),
            ("A", Some("a")),
            (" Bo ", Some("bo")),
            ("ана", Some("%ана%")),
            ("ан", Some("ан")),
            ("山田", Some("山田")),
            // Two characters in twelve bytes; three characters, the last of them in two parts.
            ("𝒳𝒴", Some("𝒳𝒴")),
            ("Ze\u{301}e\u{301}", Some("%zéé%")),
            ("Ze\u{301}", Some("zé")),
            (r"5%_\", Some(r"%5\%\_\\%")),
        ] {
            assert_eq!(pattern(text).as_deref(), expected, "{text:?}");
        }
    }
}
