//! The events in the recorder's log.

use std::path::{Path, PathBuf};

/// A change to files, or a sync. Files are identified by inodes; paths are relative to the root.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A file was created.
    Created(u64, PathBuf),
    /// A folder was created.
    Folder(PathBuf),
    /// Bytes were written.
    Written { file: u64, at: usize, bytes: Vec<u8> },
    /// The length of a file was set.
    Length(u64, usize),
    /// A file was synced as a whole.
    Synced(u64),
    /// A sync failed. Unsynced pages stay in memory and are no longer written by the operating
    /// system.
    SyncFailed(u64),
    /// A folder was synced, with these names and inodes.
    FolderSynced(PathBuf, Vec<(u64, String)>),
    /// A name was removed.
    Removed(PathBuf),
    /// A file or folder was renamed.
    Renamed(PathBuf, PathBuf),
    /// A file got a second name.
    Linked(PathBuf, PathBuf),
}

/// Reads the recorder's log up to its end. A killed process may have left an incomplete record.
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
        other => panic!("unknown kind of record: {other}"),
    };
    Some((event, rest))
}

fn listed(line: &str) -> (u64, String) {
    let (inode, name) = line.split_once(' ').unwrap();
    (inode.parse().unwrap(), name.to_owned())
}
