//! The sender of each line, and whether the second user is online.

/// A line of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// The bytes of the line without the line feed; may be empty, need not be UTF-8.
    pub(super) text: &'a [u8],
    pub(super) from_second: bool,
    pub(super) second_is_offline: bool,
}

/// The lines of a file. Every second line is sent by the second user, except in the middle third,
/// for which the second user is offline.
pub(super) fn plan(content: &[u8]) -> Vec<Line<'_>> {
    // A line feed ends a line, so no line begins after the last one.
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    let mut lines: Vec<&[u8]> = content.split(|byte| *byte == b'\n').collect();
    if content.is_empty() && lines.len() == 1 {
        lines.clear();
    }
    let (third, count) = (lines.len() / 3, lines.len());
    let middle = third..count - third;
    let line = |(number, text)| {
        let second_is_offline = count >= 3 && middle.contains(&number);
        Line { text, from_second: number % 2 == 1 && !second_is_offline, second_is_offline }
    };
    lines.into_iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(content: &str) -> String {
        let letter = |line: &Line<'_>| match (line.from_second, line.second_is_offline) {
            (false, false) => '1',
            (true, false) => '2',
            (false, true) => '-',
            (true, true) => '!',
        };
        plan(content.as_bytes()).iter().map(letter).collect()
    }

    #[test]
    fn the_users_send_alternately_and_the_second_is_offline_for_the_middle_third() {
        assert_eq!(shape(&"x\n".repeat(9)), "121---121");
        assert_eq!(shape(&"x\n".repeat(10)), "121----212");
        assert_eq!(shape(&"x\n".repeat(3)), "1-1");
        assert_eq!(shape("x\nx"), "12");
    }

    #[test]
    fn empty_lines_count_and_an_empty_file_has_none() {
        let texts = |content: &'static str| -> Vec<_> {
            plan(content.as_bytes()).iter().map(|line| line.text).collect()
        };
        assert_eq!(texts("a\n\n\nb"), [b"a".as_slice(), b"", b"", b"b"]);
        assert_eq!(texts("\n\n"), [b"", b""]);
        assert!(texts("").is_empty());
    }
}
