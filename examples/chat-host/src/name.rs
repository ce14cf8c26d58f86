//! Display names.

use dm_core::{Invalid, UserId};

/// What a person is called: 1 to 64 characters, not all blank, none of them a control character or a mark that turns
/// the direction of text, because names are printed beside other people's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Longest name, in characters.
    pub const MAX_CHARS: usize = 64;

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

impl TryFrom<String> for DisplayName {
    type Error = Invalid;

    fn try_from(name: String) -> Result<Self, Invalid> {
        let refuse = |reason| Err(Invalid::new("display_name", reason));
        if name.trim().is_empty() {
            return refuse("empty");
        }
        if name.chars().nth(Self::MAX_CHARS).is_some() {
            return refuse("longer than 64 characters");
        }
        if name.chars().any(|c| c.is_control() || turns_text(c)) {
            return refuse("holds a control character");
        }
        Ok(Self(name))
    }
}

impl From<DisplayName> for String {
    fn from(name: DisplayName) -> Self {
        name.0
    }
}

/// Line and paragraph separators, and the explicit direction marks (Unicode annex 9, section 2).
const fn turns_text(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_1_to_64_printable_characters() {
        for name in ["a", "Ana María", "Ана", "שלום", &"é".repeat(64)] {
            assert!(DisplayName::try_from(name.to_owned()).is_ok(), "{name:?}");
        }
        for name in ["", "  ", "a\0b", "a\nb", "\u{7f}", "a\u{202e}b", "a\u{2028}b", &"é".repeat(65)] {
            assert!(DisplayName::try_from(name.to_owned()).is_err(), "{name:?}");
        }
    }
}
