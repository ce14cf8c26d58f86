//! Functions about files: the free space on a disk, and absolute paths.

use std::io;
use std::path::{Path, PathBuf};

use dm_core::store::{StoreError, StoreErrorKind};

/// The number of free bytes that this process may use on the disk of a file or folder. On Unix,
/// this takes one system call. On other systems the number is unknown, and the function returns
/// `u64::MAX`, so that the store keeps no reserve.
///
/// # Errors
/// An error of the operating system.
pub(crate) fn free_bytes(path: &Path) -> io::Result<u64> {
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

/// Makes a path absolute, so that it stays valid when the process changes its working directory.
///
/// # Errors
/// [`StoreErrorKind::Unavailable`] for an empty path, or when there is no working directory.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    std::path::absolute(path).map_err(|error| StoreError::new(StoreErrorKind::Unavailable, error))
}
