//! A table in a Markdown page whose rows are renewed one by one. A row that is not renewed is kept.

use std::fmt::Write as _;

/// A table whose rows are identified by the text in their first column.
#[derive(Debug)]
pub(crate) struct Table {
    /// The names of the columns.
    pub(crate) columns: &'static [&'static str],
    /// The texts of the first column, in the order of the rows.
    pub(crate) names: Vec<&'static str>,
}

impl Table {
    /// The table with new rows, given without their first column. Other rows are taken from the
    /// earlier page, or say `not run`.
    pub(crate) fn renewed(&self, new: &[(&str, Vec<String>)], earlier: &str) -> String {
        let mut table = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {} |\n|{}", self.columns.join(" | "), "---|".repeat(self.columns.len()));
        for name in &self.names {
            let renewed = new.iter().find(|(row, _)| row == name).map(|(_, cells)| row(name, cells));
            let kept = || earlier.lines().find(|line| self.is_row_of(line, name)).map(str::to_owned);
            let line = renewed.or_else(kept).unwrap_or_else(|| row(name, &self.not_run()));
            let _ = writeln!(table, "{line}");
        }
        table
    }

    /// Whether a line is the row with this name and has the current number of columns.
    fn is_row_of(&self, line: &str, name: &str) -> bool {
        line.starts_with(&format!("| {name} |")) && line.matches(" |").count() == self.columns.len()
    }

    fn not_run(&self) -> Vec<String> {
        let mut cells = vec![String::new(); self.columns.len().saturating_sub(1)];
        if let Some(first) = cells.first_mut() {
            "not run".clone_into(first);
        }
        cells
    }
}

fn row(name: &str, cells: &[String]) -> String {
    // A bar would begin another column.
    let cells = cells.iter().map(|cell| cell.replace('|', "/"));
    format!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table { columns: &["step", "result", "seconds"], names: vec!["crash", "deny", "lowest"] }
    }

    fn cells(result: &str, seconds: &str) -> Vec<String> {
        vec![result.to_owned(), seconds.to_owned()]
    }

    #[test]
    fn a_step_that_did_not_run_keeps_its_last_row_or_says_that_it_was_not_run() {
        let first = table().renewed(&[("crash", cells("passed", "3")), ("deny", cells("failed", "1"))], "");
        let second = table().renewed(&[("deny", cells("passed", "2"))], &first);
        assert_eq!(
            second,
            "| step | result | seconds |\n|---|---|---|\n| crash | passed | 3 |\n| deny | passed | 2 |\n\
             | lowest | not run |  |\n"
        );
    }

    #[test]
    fn a_row_of_other_columns_is_not_kept() {
        let table = table().renewed(&[], "| crash | passed | 3 | 2024-01-01 |\n");
        assert!(table.contains("| crash | not run |  |\n"), "{table}");
    }

    #[test]
    fn a_bar_in_a_cell_begins_no_column() {
        let table = table().renewed(&[("deny", cells("a|b", "1"))], "");
        assert!(table.contains("| deny | a/b | 1 |\n"), "{table}");
    }
}
