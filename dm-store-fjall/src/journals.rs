//! Repairing the journals of a closed folder after a failed sync and after a power cut.
//!
//! When Linux cannot write pages of a file to the disk, it reports an error once, from the `fsync`
//! that waits for these pages. Then it treats the pages as written: they can be read, and the next
//! `fsync` succeeds although the pages are not on the disk.
//!
//! When fjall opens a folder with such pages, it reads them, treats a batch in them as committed,
//! and appends later batches to the journal. The next power cut would then lose the pages, and
//! leave a gap before the later batches. So before the store opens a folder of its own, it writes
//! the whole content of the journals once more, and syncs it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use dm_core::store::StoreError;

use crate::error::from_fjall;
use crate::torn::torn_batch_offset;

/// The number of bytes that [`rewrite_file`] reads and writes at a time, so that it does not hold a
/// whole journal in memory.
const CHUNK: usize = 64 * 1024;

/// The name of the file that fjall locks while a process has the folder open.
const LOCK_FILE: &str = "lock";

/// The extension of a journal's name.
const EXTENSION: &str = "jnl";

/// Writes the content of all journals of a closed folder again, and syncs it.
///
/// # Errors
/// [`Locked`](dm_core::store::StoreErrorKind::Locked) when a process has the folder open; errors of
/// the operating system.
pub(crate) fn rewrite(folder: &Path) -> Result<(), StoreError> {
    let _lock = lock(folder)?;
    journals(folder)?.iter().try_for_each(|(_, path)| rewrite_file(path)).map_err(from_io)
}

/// Cuts the last batch off the newest journal of a closed folder, if a power cut tore it
/// ([`torn_batch_offset`]). Returns whether there was such a batch.
///
/// # Errors
/// As [`rewrite`].
pub(crate) fn drop_torn_batch(folder: &Path) -> Result<bool, StoreError> {
    let _lock = lock(folder)?;
    let Some((_, newest)) = journals(folder)?.into_iter().max() else { return Ok(false) };
    let Some(end) = torn_batch_offset(&std::fs::read(&newest).map_err(from_io)?) else { return Ok(false) };
    let file = OpenOptions::new().write(true).open(newest).map_err(from_io)?;
    file.set_len(end as u64).and_then(|()| file.sync_all()).map_err(from_io)?;
    Ok(true)
}

/// Locks a folder as fjall does. Dropping the returned file releases the lock.
fn lock(folder: &Path) -> Result<File, StoreError> {
    let lock = OpenOptions::new().read(true).write(true).open(folder.join(LOCK_FILE)).map_err(from_io)?;
    lock.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => from_fjall(fjall::Error::Locked),
        std::fs::TryLockError::Error(error) => from_io(error),
    })?;
    Ok(lock)
}

/// The numbers and paths of a folder's journals.
fn journals(folder: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(from_io)? {
        let path = entry.map_err(from_io)?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(number) = number.filter(|_| path.extension().is_some_and(|ending| ending == EXTENSION)) {
            found.push((number, path));
        }
    }
    Ok(found)
}

/// Writes the content of a file again and syncs it. Skips chunks of zeros: the end of a journal is
/// a hole, which takes no space on the disk.
fn rewrite_file(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    loop {
        let length = read_chunk(&mut file, &mut chunk)?;
        let Some(read) = chunk.get(..length).filter(|read| !read.is_empty()) else { break };
        if read.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start(at))?;
            file.write_all(read)?;
        }
        at += length as u64;
    }
    file.sync_all()
}

/// Reads until the chunk is full or the file ends. Returns the number of bytes that were read.
fn read_chunk(file: &mut File, chunk: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(unfilled) = chunk.get_mut(length..).filter(|unfilled| !unfilled.is_empty()) {
        match file.read(unfilled)? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

/// Converts an error of the operating system to the same kind as fjall's error for it.
fn from_io(error: io::Error) -> StoreError {
    from_fjall(error.into())
}
