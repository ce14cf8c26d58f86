//! The records that the recorder wrote down.

use std::path::{Path, PathBuf};

/// A change of files, or a sync. Files are named by their inodes, paths are those below the root.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A file was made.
    Created(u64, PathBuf),
    /// A folder was made.
    Folder(PathBuf),
    /// Bytes were written.
    Written { file: u64, at: usize, bytes: Vec<u8> },
    /// The length was set.
    Length(u64, usize),
    /// All of a file is on the disk now.
    Synced(u64),
    /// A sync failed: what was not on the disk is in memory only, and never written by itself.
    SyncFailed(u64),
    /// The names in a folder, with their inodes, are on the disk now.
    FolderSynced(PathBuf, Vec<(u64, String)>),
    /// A name is gone.
    Removed(PathBuf),
    /// A file or folder has another name.
    Renamed(PathBuf, PathBuf),
    /// A file has a second name.
    Linked(PathBuf, PathBuf),
}

/// Reads the recorder's log, to where it ends; a process that was killed may have left a part of a
/// record.
pub(crate) fn read(log: &Path) -> Vec<Event> {
    let bytes = std::fs::read(log).unwrap();
    let mut rest = bytes.as_slice();
    let mut events = Vec::new();
    while let Some((event, after)) = next(rest) {
        events.push(event);
        rest = after;
    }
    events
}

fn next(record: &[u8]) -> Option<(Event, &[u8])> {
    let (kind, rest) = record.split_first()?;
    let (inode, rest) = rest.split_first_chunk()?;
    let (number, rest) = rest.split_first_chunk()?;
    let (one, rest) = rest.split_first_chunk()?;
    let (two, rest) = rest.split_first_chunk()?;
    let (one, rest) = rest.split_at_checked(u32::from_ne_bytes(*one) as usize)?;
    let (two, rest) = rest.split_at_checked(u32::from_ne_bytes(*two) as usize)?;
    let (file, number) = (u64::from_ne_bytes(*inode), u64::from_ne_bytes(*number) as usize);
    let path = |bytes: &[u8]| PathBuf::from(String::from_utf8(bytes.to_vec()).unwrap());
    let event = match kind {
        b'C' => Event::Created(file, path(one)),
        b'D' => Event::Folder(path(one)),
        b'W' => Event::Written { file, at: number, bytes: one.to_vec() },
        b'T' => Event::Length(file, number),
        b'S' => Event::Synced(file),
        b'F' => Event::SyncFailed(file),
        b'Y' => {
            Event::FolderSynced(path(one), std::str::from_utf8(two).unwrap().lines().map(listed).collect())
        }
        b'U' => Event::Removed(path(one)),
        b'R' => Event::Renamed(path(one), path(two)),
        b'L' => Event::Linked(path(one), path(two)),
        other => panic!("no kind of record: {other}"),
    };
    Some((event, rest))
}

fn listed(line: &str) -> (u64, String) {
    let (inode, name) = line.split_once(' ').unwrap();
    (inode.parse().unwrap(), name.to_owned())
}
