//! The disk that a store is on.

use std::io;
use std::path::{Path, PathBuf};

use dm_core::store::{StoreError, StoreErrorKind};

/// Measures how many bytes this process may still take on the disk of a file or folder. One system
/// call on Unix; elsewhere it is not known, and no reserve is kept.
///
/// # Errors
/// What the operating system reports.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(path)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
    #[cfg(not(unix))]
    {
        path.metadata().map(|_| u64::MAX)
    }
}

/// A path from the root, so that it stays the same when the process changes its working directory.
///
/// # Errors
/// [`StoreErrorKind::Unavailable`] for an empty path, or without a working directory.
pub fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    std::path::absolute(path).map_err(|error| StoreError::new(StoreErrorKind::Unavailable, error))
}
