//! A file system of a few megabytes.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A file system in memory with its own size. It is unmounted on drop.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one with so many bytes for a test. Returns `None`, and prints the name of the test,
    /// if mounting is not allowed.
    ///
    /// # Panics
    /// Panics with `CI=true` if mounting is not allowed.
    #[must_use]
    pub fn mount(test: &str, bytes: u64) -> Option<Self> {
        Self::try_mount(bytes).map_err(|why| cannot_run(test, &why)).ok()
    }

    /// Mounts one with so many bytes.
    ///
    /// # Errors
    /// Fails with the reason if mounting is not allowed: it takes root.
    pub fn try_mount(bytes: u64) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let size = format!("size={bytes},mode=700");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        let why = match mount {
            Ok(output) if output.status.success() => return Ok(Self { folder }),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        Err(format!("no file system can be mounted: {why}"))
    }

    /// The folder that it is mounted on.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it with a file until at most so many bytes are free.
    pub fn fill(&self, leave: u64) {
        let mut file = File::options().create(true).append(true).open(self.filler()).unwrap();
        for _ in 0..self.free().saturating_sub(leave) / 4096 {
            if file.write_all(&[1; 4096]).is_err() {
                return;
            }
        }
    }

    /// Removes the file that filled it.
    pub fn make_room(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// The free bytes.
    fn free(&self) -> u64 {
        let stat = Command::new("stat").args(["-f", "-c", "%a %S"]).arg(self.path()).output().unwrap();
        let said = String::from_utf8(stat.stdout).unwrap();
        said.split_whitespace().map(|number| number.parse::<u64>().unwrap()).product()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because a store that is being dropped may still have a file open.
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}

/// Prints that a test did not run.
///
/// # Panics
/// Panics with `CI=true`.
pub(crate) fn cannot_run(test: &str, why: &str) {
    // The test runner hides captured output of passed tests, so this writes past the capture.
    let mut stderr = std::io::stderr();
    writeln!(stderr, "not run: {test}: {why}").unwrap();
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "with CI=true all tests must run");
}
