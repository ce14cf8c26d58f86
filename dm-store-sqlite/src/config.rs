//! How a store opens its file.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::names::TablePrefix;

/// Choices for [`SqliteStore::open_with`](crate::SqliteStore::open_with). Start from the default and change fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SqliteConfig {
    /// Whose file it is. Default [`FileOwner::Store`].
    pub owner: FileOwner,
    /// The beginning of the names of the store's tables. Default `dm_`. Stores with different
    /// prefixes share a file.
    pub table_prefix: TablePrefix,
    /// Connections for reading, at most. Default 4: reads are short, and more wait for the same disk.
    pub readers: NonZeroUsize,
    /// How long to wait for another process that holds the file's lock before failing as unavailable. Default 5 s.
    pub busy_timeout: Duration,
    /// Page cache of the writing connection in bytes. Default 32 MiB; each reader has an eighth of it.
    pub cache_bytes: usize,
    /// Memory for the newest numbers of conversations and users, in bytes. A conversation and a user
    /// take [`HEAD_BYTES`](Self::HEAD_BYTES) together; at least one of each is kept. Default 20 MiB:
    /// 65,536 of each, and a million take 305 MiB. A message to others costs one statement, which
    /// reads the rows of the conversation and of its two users.
    pub heads_bytes: usize,
    /// New inbox entries that are kept in small trees, from which they are moved into the large
    /// ones in bulk; as many again are being moved. Default 131,072: with 10,000 conversations a
    /// send then writes a quarter of the pages it would write without. More makes the moves cheaper
    /// and each batch's own pages more. As soon as somebody is written to who is not in memory, all
    /// of these rows are looked at once, which takes up to a tenth of a second, and the newest
    /// number of each inbox and conversation in them is kept: 51 bytes for each entry at most, about
    /// 13 MiB by default.
    pub recent_entries: NonZeroUsize,
    /// Pages in the write-ahead log at which it is copied into the file. Default 500 pages (4 MiB in a file of the
    /// store's own): the commit that copies takes longer than the others, by 5 to 10 ms with so many pages and by 20 to
    /// 30 ms with four times as many, which would be 5 % faster on the whole.
    pub checkpoint_pages: u32,
    /// Pages (of 8 KiB in a file that the store made, else as the file has them) at which the file counts as full. Default: the disk's end.
    pub max_pages: Option<u32>,
    /// Bytes of the disk to keep free; zero keeps none. Default 64 MiB. While less is free, new
    /// messages, conversations and keys are refused as [`Full`](dm_core::store::StoreErrorKind::Full)
    /// before the file is touched; reads, acknowledgements and expiry go on. The file itself does
    /// not shrink, so that room is made beside it, or by a larger disk. On Unix only.
    pub reserve_bytes: u64,
}

/// Whose database file a store lives in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileOwner {
    /// The store's own: it is made if it is missing, readable by its user only, and kept in WAL mode.
    #[default]
    Store,
    /// The host's, with tables of the host. It must exist. The store owns only names that begin
    /// with [`SqliteConfig::table_prefix`], and leaves the journal mode, `user_version` and
    /// everything else of the file as they are. A host that writes to the same file from its own
    /// connections makes the store wait, and waits for it in turn.
    Host,
}

const fn at_least_one(n: usize) -> NonZeroUsize {
    match NonZeroUsize::new(n) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    }
}

impl SqliteConfig {
    /// Bytes that a conversation and a user take in memory together, at most: mostly some 250.
    pub const HEAD_BYTES: usize = 320;
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self {
            owner: FileOwner::Store,
            table_prefix: TablePrefix::default(),
            readers: at_least_one(4),
            busy_timeout: Duration::from_secs(5),
            cache_bytes: 32 * 1024 * 1024,
            heads_bytes: 20 * 1024 * 1024,
            recent_entries: at_least_one(131_072),
            checkpoint_pages: 500,
            max_pages: None,
            reserve_bytes: 64 * 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_sizes_are_those_that_are_documented() {
        let config = SqliteConfig::default();
        assert_eq!((config.cache_bytes, config.reserve_bytes), (32 << 20, 64 << 20));
        assert_eq!(
            [
                config.readers.get(),
                config.heads_bytes / SqliteConfig::HEAD_BYTES,
                config.recent_entries.get()
            ],
            [4, 65_536, 131_072]
        );
    }
}
