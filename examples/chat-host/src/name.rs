//! Display names.

use dm_core::{Invalid, UserId};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::{GeneralSecurityProfile, RestrictionLevel, RestrictionLevelDetection};

/// A display name: 1 to 64 visible characters. Names need not be unique; the key identifies the
/// user. The rules make similar names distinguishable, because names are shown beside each other:
///
/// - A name is in normal form C, so that the two encodings of an accented letter are one name.
/// - A name has no blanks at its ends, and one blank between words.
/// - The allowed characters are the printable characters of ASCII, and the characters of the
///   general security profile for identifiers (Unicode Technical Standard 39, section 3.1).
/// - Scripts may be mixed as far as the level "highly restrictive" allows (section 5.2). "Ana" with
///   a Cyrillic "а" is refused, Japanese with Latin is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Maximum length of a name, in characters.
    pub const MAX_CHARS: usize = 64;

    /// Maximum number of combining marks on one letter (Unicode Technical Standard 39, section
    /// 5.4).
    const MAX_MARKS: usize = 4;

    /// The default name: the first eight digits of the user's key.
    #[must_use]
    pub fn of_key(user: UserId) -> Self {
        Self(user.to_string().chars().take(8).collect())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The form of a name for searching. It is the same for both encodings of an accented letter, and
/// for upper and lower case.
pub(crate) fn fold(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase().nfc().collect()
}

impl TryFrom<String> for DisplayName {
    type Error = Invalid;

    fn try_from(name: String) -> Result<Self, Invalid> {
        let refuse = |reason| Err(Invalid::new("display_name", reason));
        let name: String = name.nfc().collect();
        if !name.chars().all(is_shown) {
            return refuse("contains a character that is invisible or is no letter, digit or ASCII sign");
        }
        let name = name.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        if name.is_empty() {
            return refuse("empty");
        }
        if name.chars().nth(Self::MAX_CHARS).is_some() {
            return refuse("longer than 64 characters");
        }
        if has_stray_marks(&name) {
            return refuse("has combining marks without a letter, or too many on one");
        }
        // The ASCII signs belong to every script and are not part of the profile, so they are left
        // out.
        let letters: String = name.chars().filter(|c| c.identifier_allowed()).collect();
        if letters.detect_restriction_level() > RestrictionLevel::HighlyRestrictive {
            return refuse("mixes scripts that are easily confused");
        }
        Ok(Self(name))
    }
}

impl From<DisplayName> for String {
    fn from(name: DisplayName) -> Self {
        name.0
    }
}

fn is_shown(c: char) -> bool {
    matches!(c, ' '..='~') || c.identifier_allowed()
}

/// Whether a combining mark follows no letter, or a letter has more than the allowed number.
fn has_stray_marks(name: &str) -> bool {
    // The start is like a blank: a mark there follows no letter.
    let mut marks = DisplayName::MAX_MARKS;
    for c in name.chars() {
        marks = match c {
            _ if is_combining_mark(c) => marks + 1,
            ' ' => DisplayName::MAX_MARKS,
            _ => 0,
        };
        if marks > DisplayName::MAX_MARKS {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Result<String, &'static str> {
        DisplayName::try_from(text.to_owned()).map(String::from).map_err(|invalid| invalid.reason())
    }

    #[test]
    fn names_of_every_script_are_1_to_64_characters() {
        let longest = "é".repeat(64);
        let scripts = [
            "a",
            "Ana María",
            "O'Neil-Łukasz 2",
            "100% sure_",
            "Ана",
            "Ελένη",
            "שלום",
            "علي",
            "अनिता",
            "สมชาย",
            "김철수",
            "山田",
            "山田 Taro",
            "さくら",
            &longest,
        ];
        for text in scripts {
            assert_eq!(name(text).as_deref(), Ok(text));
        }
        for text in ["", "  ", &"é".repeat(65)] {
            assert!(name(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn invisible_characters_are_refused() {
        for c in [
            '\0',
            '\n',
            '\u{7f}',
            '\u{85}',
            '\u{a0}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{3000}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{e0041}',
            '\u{e000}',
            '\u{fffe}',
        ] {
            for text in [format!("An{c}a"), format!("{c}Ana"), format!("Ana{c}")] {
                assert!(name(&text).is_err(), "{text:?}");
            }
        }
    }

    #[test]
    fn mixtures_that_are_easily_confused_are_refused() {
        // In order: Cyrillic а, Greek ο, a Cherokee letter, Cyrillic с among Greek, fullwidth,
        // mathematical, an enclosed digit, a Roman numeral.
        for text in ["Аna", "Bοb", "Ꭺna", "ελεсη", "Ａna", "𝐀na", "Ana ①", "ⅿax"] {
            assert!(name(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn normal_forms_and_blanks_are_normalized() {
        assert_eq!(name("Ana Mari\u{301}a").as_deref(), Ok("Ana María"));
        assert_eq!(name("  Ana   María ").as_deref(), Ok("Ana María"));
        assert_eq!(name(&"e\u{301}".repeat(64)).as_deref(), Ok(&*"é".repeat(64)));
        assert_eq!(fold("MARI\u{301}A"), fold("maría"));
    }

    #[test]
    fn marks_without_a_letter_and_too_many_marks_are_refused() {
        for text in ["\u{301}Ana", "Ana \u{301}b", "a\u{338}\u{338}\u{338}\u{338}\u{338}"] {
            assert!(name(text).is_err(), "{text:?}");
        }
    }
}
