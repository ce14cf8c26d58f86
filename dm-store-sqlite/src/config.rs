//! How a store opens its file.

use std::num::NonZeroUsize;
use std::time::Duration;

/// Choices for [`SqliteStore::open_with`](crate::SqliteStore::open_with). Start from the default and change fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SqliteConfig {
    /// Whose file it is. Default [`FileOwner::Store`].
    pub owner: FileOwner,
    /// Connections for reading, at most. Default 4: reads are short, and more wait for the same disk.
    pub readers: NonZeroUsize,
    /// How long to wait for another process that holds the file's lock before failing as unavailable. Default 5 s.
    pub busy_timeout: Duration,
    /// Page cache of the writing connection in bytes. Default 32 MiB; each reader has an eighth of it.
    pub cache_bytes: usize,
    /// Conversations, and users, whose newest numbers are kept in memory. Default 65,536: about 10 MiB when full.
    /// Others cost one look into the file when they are written to.
    pub heads: NonZeroUsize,
    /// Pages in the write-ahead log at which it is copied into the file. Default 4,000 pages (16 MiB): with SQLite's
    /// own 1,000 the same hot pages are copied several times as often.
    pub checkpoint_pages: u32,
    /// Pages (of 4 KiB, unless the host's file has others) at which the file counts as full. Default: the disk's end.
    pub max_pages: Option<u32>,
}

/// Whose database file a store lives in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileOwner {
    /// The store's own: it is made if it is missing, readable by its user only, and kept in WAL mode.
    #[default]
    Store,
    /// The host's, with tables of the host. It must exist. The store owns only names that begin with `dm_`, and leaves
    /// the journal mode, `user_version` and everything else of the file as they are. A host that writes to the same
    /// file from its own connections makes the store wait, and waits for it in turn.
    Host,
}

const fn at_least_one(n: usize) -> NonZeroUsize {
    match NonZeroUsize::new(n) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    }
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self {
            owner: FileOwner::Store,
            readers: at_least_one(4),
            busy_timeout: Duration::from_secs(5),
            cache_bytes: 32 * 1024 * 1024,
            heads: at_least_one(65_536),
            checkpoint_pages: 4_000,
            max_pages: None,
        }
    }
}
