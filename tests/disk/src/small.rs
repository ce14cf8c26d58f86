//! A file system of a few megabytes.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A file system in memory, of its own size, that goes away when this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one of so many bytes for the test of a name. `None` when that is not allowed, which
    /// is said then.
    ///
    /// # Panics
    /// With `CI=true`, where it must be allowed.
    #[must_use]
    pub fn mount(test: &str, bytes: u64) -> Option<Self> {
        Self::try_mount(bytes).map_err(|why| cannot_run(test, &why)).ok()
    }

    /// Mounts one of so many bytes.
    ///
    /// # Errors
    /// Why that is not allowed: it takes root.
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

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it with a file until no more than so many bytes are free.
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

    /// Bytes that are free.
    fn free(&self) -> u64 {
        let stat = Command::new("stat").args(["-f", "-c", "%a %S"]).arg(self.path()).output().unwrap();
        let said = String::from_utf8(stat.stdout).unwrap();
        said.split_whitespace().map(|number| number.parse::<u64>().unwrap()).product()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because a store that is being dropped may hold a file for a moment.
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}

/// Says that a test did not run.
///
/// # Panics
/// With `CI=true`.
pub(crate) fn cannot_run(test: &str, why: &str) {
    // Past what catches the output of tests that pass.
    let mut stderr = std::io::stderr();
    writeln!(stderr, "not run: {test}: {why}").unwrap();
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "with CI=true every test must run");
}
