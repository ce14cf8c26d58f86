//! The day and the commit of a run, for the pages that keep its figures.

use std::path::Path;
use std::process::Command;

/// The day and the commit of a run.
#[derive(Debug)]
pub(crate) struct Stamp {
    /// The day in UTC, such as `2024-12-31`.
    pub(crate) day: String,
    /// The commit, with a remark if the work tree has changes.
    pub(crate) commit: String,
}

impl Stamp {
    /// The stamp of a run that begins now.
    pub(crate) fn now(root: &Path) -> Self {
        let said = |program: &str, args: &[&str]| {
            let output = Command::new(program).current_dir(root).args(args).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let unknown = || "unknown".to_owned();
        let mut commit = said("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_else(unknown);
        // Changes to the pages that runs write do not count.
        let changed = said("git", &["status", "--porcelain", "--", ".", ":!docs"]);
        if changed.is_none_or(|changed| !changed.is_empty()) {
            commit.push_str(" with changes");
        }
        Self { day: said("date", &["-u", "+%F"]).unwrap_or_else(unknown), commit }
    }
}
