//! The input line.

/// Text of limited length with a cursor.
#[derive(Debug, Default)]
pub(crate) struct Input {
    text: String,
    /// Byte offset of the cursor, on a character boundary.
    cursor: usize,
}

/// Maximum length of a text, in bytes: the maximum plaintext of one message.
pub(crate) const MAX_LEN: usize = dm_client::suite::suite1::MAX_PLAINTEXT;

impl Input {
    /// Inserts a character at the cursor, unless the text is full.
    pub(crate) fn insert(&mut self, character: char) {
        if self.text.len() + character.len_utf8() <= MAX_LEN {
            self.text.insert(self.cursor, character);
            self.cursor += character.len_utf8();
        }
    }

    /// Inserts a text at the cursor. Characters that do not fit are dropped.
    pub(crate) fn paste(&mut self, text: &str) {
        text.replace("\r\n", "\n").replace('\r', "\n").chars().for_each(|character| self.insert(character));
    }

    pub(crate) fn left(&mut self) {
        self.cursor = self.before(self.cursor);
    }

    pub(crate) fn right(&mut self) {
        self.cursor = self.after(self.cursor);
    }

    pub(crate) fn home(&mut self) {
        self.cursor = 0;
    }

    pub(crate) fn end(&mut self) {
        self.cursor = self.text.len();
    }

    pub(crate) fn backspace(&mut self) {
        let from = self.before(self.cursor);
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
    }

    pub(crate) fn delete(&mut self) {
        self.text.replace_range(self.cursor..self.after(self.cursor), "");
    }

    /// Deletes the word before the cursor.
    pub(crate) fn delete_word(&mut self) {
        let before = self.text.get(..self.cursor).unwrap_or_default().trim_end();
        let from = before.rfind(char::is_whitespace).map_or(0, |at| self.after(at));
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
    }

    /// Clears the input and returns its text.
    pub(crate) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text before and after the cursor.
    pub(crate) fn split(&self) -> (&str, &str) {
        self.text.split_at_checked(self.cursor).unwrap_or((&self.text, ""))
    }

    fn before(&self, at: usize) -> usize {
        let last = self.text.get(..at).and_then(|text| text.chars().next_back());
        at - last.map_or(0, char::len_utf8)
    }

    fn after(&self, at: usize) -> usize {
        let first = self.text.get(at..).and_then(|text| text.chars().next());
        at + first.map_or(0, char::len_utf8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Input {
        let mut input = Input::default();
        input.paste(text);
        input
    }

    #[test]
    fn the_cursor_moves_by_characters_and_edits_at_its_position() {
        let mut input = typed("aéz");
        input.left();
        input.left();
        input.insert('→');
        assert_eq!((input.text(), input.split()), ("a→éz", ("a→", "éz")));
        input.delete();
        input.backspace();
        assert_eq!(input.text(), "az");
        input.home();
        input.left();
        input.backspace();
        input.end();
        input.right();
        input.delete();
        assert_eq!((input.text(), input.split()), ("az", ("az", "")));
    }

    #[test]
    fn a_word_is_deleted_with_the_space_behind_it() {
        let mut input = typed("see you  soon ");
        input.delete_word();
        assert_eq!(input.text(), "see you  ");
        input.delete_word();
        input.delete_word();
        input.delete_word();
        assert_eq!(input.text(), "");
    }

    #[test]
    fn taking_the_text_clears_it_and_line_ends_are_normalized() {
        let mut input = typed("a\r\nb\rc");
        assert_eq!(input.take(), "a\nb\nc");
        assert_eq!(input.take(), "");
    }

    #[test]
    fn text_beyond_the_limit_of_a_message_is_dropped() {
        let mut input = typed(&"é".repeat(MAX_LEN));
        assert!(input.text().len() <= MAX_LEN && input.text().len() > MAX_LEN - 2);
        input.insert('é');
        assert!(input.text().len() <= MAX_LEN);
    }
}
