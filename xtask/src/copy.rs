//! A copy of the workspace in which a command may change files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// Makes the folder `copy` equal to the tracked files of the work tree; its folder `target` stays.
/// A file that is already equal keeps its modification time, so that a second run compiles little
/// again.
///
/// # Errors
/// Fails if git cannot be started, or if a file cannot be read, written or removed.
pub(crate) fn copy_tracked(root: &Path, copy: &Path) -> anyhow::Result<()> {
    let listed = Command::new("git").current_dir(root).args(["ls-files", "-z"]).output().context("git")?;
    ensure!(listed.status.success(), "git ls-files failed");
    let listed = String::from_utf8(listed.stdout).context("a path is not UTF-8")?;
    let files: BTreeSet<_> = listed
        .split('\0')
        .filter(|path| !path.is_empty() && root.join(path).is_file())
        .map(PathBuf::from)
        .collect();
    fs::create_dir_all(copy).with_context(|| format!("making {}", copy.display()))?;
    remove_others(copy, copy, &files)?;
    for path in &files {
        let (from, to) = (root.join(path), copy.join(path));
        let folder = to.parent().context("a file has no folder")?;
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        if fs::read(&from)? != fs::read(&to).unwrap_or_default() {
            fs::copy(&from, &to).with_context(|| format!("copying {}", from.display()))?;
        }
    }
    Ok(())
}

/// Removes files that are not listed. A test that was moved would otherwise be compiled at its old
/// path as well.
fn remove_others(copy: &Path, folder: &Path, files: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let inside = path.strip_prefix(copy).context("a path is outside its folder")?;
        if inside == Path::new("target") {
            continue;
        }
        if path.is_dir() {
            remove_others(copy, &path, files)?;
        } else if !files.contains(inside) {
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_holds_what_is_tracked_now_and_keeps_its_target() {
        let (root, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let git = |args: &[&str]| {
            let status = Command::new("git").current_dir(root.path()).args(args).status().unwrap();
            assert!(status.success());
        };
        fs::create_dir(root.path().join("tests")).unwrap();
        fs::write(root.path().join("tests/old.rs"), "old").unwrap();
        fs::write(root.path().join("untracked.rs"), "untracked").unwrap();
        git(&["init", "--quiet"]);
        git(&["add", "tests"]);
        copy_tracked(root.path(), copy.path()).unwrap();
        assert!(copy.path().join("tests/old.rs").is_file());
        assert!(!copy.path().join("untracked.rs").exists());

        fs::create_dir(copy.path().join("target")).unwrap();
        fs::write(copy.path().join("target/built"), "built").unwrap();
        git(&["mv", "tests/old.rs", "tests/new.rs"]);
        copy_tracked(root.path(), copy.path()).unwrap();
        assert!(copy.path().join("tests/new.rs").is_file());
        assert!(!copy.path().join("tests/old.rs").exists(), "the file must be removed");
        assert!(copy.path().join("target/built").is_file());
    }
}
