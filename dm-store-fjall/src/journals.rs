//! Journals of a folder that is not open: what a failed sync and what a power cut left of them.
//!
//! An operating system that cannot write pages of a file reports that once, to the `fsync` that
//! waits for them. Linux then counts them as written: they can be read, and the next `fsync`
//! succeeds without them. fjall would read such pages when it opens, take a batch in them for
//! committed, and append later batches behind what the next power cut turns into a gap. So before a
//! folder of the store's is opened, all that its journals hold is written once more, and synced.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use dm_core::store::StoreError;

use crate::error::from_fjall;
use crate::torn::torn_at;

/// The bytes that are written at once.
const CHUNK: usize = 64 * 1024;

/// The file that fjall locks for as long as a process has the folder open.
const LOCK: &str = "lock";

/// The ending of a journal's name.
const JOURNAL: &str = "jnl";

/// Writes and syncs the journals of a folder that nobody has open.
///
/// # Errors
/// [`Locked`](dm_core::store::StoreErrorKind::Locked) when somebody has; what the operating system
/// reports.
pub(crate) fn rewrite(folder: &Path) -> Result<(), StoreError> {
    let _lock = lock(folder)?;
    journals(folder)?.iter().try_for_each(|(_, path)| write_file(path)).map_err(failed)
}

/// Drops a last batch that a power cut tore, in the newest journal of a folder that nobody has
/// open; whether there was one. See [`torn_at`].
///
/// # Errors
/// As [`rewrite`].
pub(crate) fn drop_torn_end(folder: &Path) -> Result<bool, StoreError> {
    let _lock = lock(folder)?;
    let Some((_, newest)) = journals(folder)?.into_iter().max() else { return Ok(false) };
    let Some(end) = torn_at(&std::fs::read(&newest).map_err(failed)?) else { return Ok(false) };
    let file = OpenOptions::new().write(true).open(newest).map_err(failed)?;
    file.set_len(end as u64).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(true)
}

/// The lock of a folder, which is given back with the file.
fn lock(folder: &Path) -> Result<File, StoreError> {
    let lock = OpenOptions::new().read(true).write(true).open(folder.join(LOCK)).map_err(failed)?;
    lock.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => from_fjall(fjall::Error::Locked),
        std::fs::TryLockError::Error(error) => failed(error),
    })?;
    Ok(lock)
}

/// The journals of a folder, by their numbers.
fn journals(folder: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(number) = number.filter(|_| path.extension().is_some_and(|ending| ending == JOURNAL)) {
            found.push((number, path));
        }
    }
    Ok(found)
}

/// Writes a file over itself. Zeros are left out: the end of a journal is a hole, which takes no
/// space.
fn write_file(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    loop {
        let length = fill(&mut file, &mut chunk)?;
        let Some(read) = chunk.get(..length).filter(|read| !read.is_empty()) else { break };
        if read.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start(at))?;
            file.write_all(read)?;
        }
        at += length as u64;
    }
    file.sync_all()
}

/// Reads until the chunk is full or the file ends, and says how much.
fn fill(file: &mut File, chunk: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = chunk.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

fn failed(error: io::Error) -> StoreError {
    from_fjall(error.into())
}
