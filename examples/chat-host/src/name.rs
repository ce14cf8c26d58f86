//! Display names.

use dm_core::{Invalid, UserId};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::{GeneralSecurityProfile, RestrictionLevel, RestrictionLevelDetection};

/// What a person is called: 1 to 64 characters that can be seen and told apart, because names are
/// printed beside other people's. They need not be unique: the key says who it is.
///
/// A name is kept in normal form C, so that the two ways to write an accent are one name, without
/// blanks around it and with one blank between words. Beside the printable characters of ASCII it
/// holds those of the general security profile for identifiers, and scripts are mixed at most as
/// its level "highly restrictive" allows (Unicode Technical Standard 39,
/// 3.1 and 5.2): "Ana" with a Cyrillic "а" is refused, Japanese with Latin is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Longest name, in characters.
    pub const MAX_CHARS: usize = 64;

    /// Marks that one letter may carry (Unicode Technical Standard 39, 5.4).
    const MAX_MARKS: usize = 4;

    /// What somebody is called who chose no name: the first eight digits of their key.
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

/// A name's form for searching: the same for both ways to write an accent, and for both cases.
pub(crate) fn fold(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase().nfc().collect()
}

impl TryFrom<String> for DisplayName {
    type Error = Invalid;

    fn try_from(name: String) -> Result<Self, Invalid> {
        let refuse = |reason| Err(Invalid::new("display_name", reason));
        let name: String = name.nfc().collect();
        if !name.chars().all(is_shown) {
            return refuse("holds a character that is not seen or is no letter, digit or ASCII sign");
        }
        let name = name.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        if name.is_empty() {
            return refuse("empty");
        }
        if name.chars().nth(Self::MAX_CHARS).is_some() {
            return refuse("longer than 64 characters");
        }
        if has_stray_marks(&name) {
            return refuse("holds marks without a letter, or too many on one");
        }
        // Signs of ASCII belong to every script, and not to the profile that the level is about.
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

/// Whether a mark stands without a letter before it, or more than a letter may carry follow each
/// other.
fn has_stray_marks(name: &str) -> bool {
    // As after a blank: a mark there hangs on nothing.
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
    fn characters_that_are_not_seen_are_refused() {
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
        // With a Cyrillic а; with a Greek ο; with a Cherokee letter; a Cyrillic с among Greek;
        // fullwidth; mathematical.
        for text in ["Аna", "Bοb", "Ꭺna", "ελεсη", "Ａna", "𝐀na", "Ana ①", "ⅿax"] {
            assert!(name(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn both_normal_forms_and_all_blanks_are_one_name() {
        assert_eq!(name("Ana Mari\u{301}a").as_deref(), Ok("Ana María"));
        assert_eq!(name("  Ana   María ").as_deref(), Ok("Ana María"));
        assert_eq!(name(&"e\u{301}".repeat(64)).as_deref(), Ok(&*"é".repeat(64)));
        assert_eq!(fold("MARI\u{301}A"), fold("maría"));
    }

    #[test]
    fn marks_stand_on_letters_and_are_few() {
        for text in ["\u{301}Ana", "Ana \u{301}b", "a\u{338}\u{338}\u{338}\u{338}\u{338}"] {
            assert!(name(text).is_err(), "{text:?}");
        }
    }
}
