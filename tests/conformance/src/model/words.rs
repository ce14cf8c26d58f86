//! Values in the words of a script.

use std::str::FromStr;

/// The value after a prefix of a word.
pub(super) fn after<T: FromStr>(word: &str, prefix: &str) -> Option<T> {
    word.strip_prefix(prefix)?.parse().ok()
}

/// The field with a prefix: `Some(None)` if no word has it, `None` if its value is wrong.
#[expect(clippy::option_option, reason = "absent and wrong are two things")]
pub(super) fn optional<T: FromStr>(words: &[&str], prefix: &str) -> Option<Option<T>> {
    match words.iter().find(|word| word.starts_with(prefix)) {
        None => Some(None),
        Some(word) => after(word, prefix).map(Some),
    }
}
