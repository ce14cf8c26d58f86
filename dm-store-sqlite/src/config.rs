//! The configuration of a store.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::names::TablePrefix;

/// The configuration for [`SqliteStore::open_with`](crate::SqliteStore::open_with). Start from the
/// default and change fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SqliteConfig {
    /// The owner of the file. Default [`FileOwner::Store`].
    pub owner: FileOwner,
    /// The beginning of the names of the store's tables. Default `dm_`. Stores with different
    /// prefixes can share a file.
    pub table_prefix: TablePrefix,
    /// Connections that read. Default 4: reads are short, and more would wait for the same disk.
    pub readers: NonZeroUsize,
    /// The time to wait for another process that holds the file's lock, before a call fails as
    /// unavailable. Default 5 s.
    pub busy_timeout: Duration,
    /// Page cache of the writing connection, in bytes. Default 32 MiB. Each reader has an eighth of
    /// it.
    pub cache_bytes: usize,
    /// Memory for the newest numbers of conversations and users, in bytes. A conversation and a
    /// user take [`HEAD_BYTES`](Self::HEAD_BYTES) together; at least one of each is kept. Default
    /// 20 MiB: 65,536 of each. A million of each take 305 MiB. A message in a conversation that is
    /// not in memory costs one more statement, which reads the rows of the conversation and of its
    /// two users.
    pub heads_bytes: usize,
    /// New inbox entries that are kept in small trees, from which they are moved into the large
    /// ones in bulk. As many again are in trees that are being moved. Default 131,072: with 10,000
    /// conversations a send then writes a quarter of the pages that it would write without them. A
    /// higher number makes moves cheaper, and each batch writes more pages of the small trees. The
    /// first message to a user who is not in memory reads all of these rows once, which takes up to
    /// a tenth of a second. The newest number of each inbox and conversation in them is then kept:
    /// at most 51 bytes per entry, about 13 MiB by default.
    pub recent_entries: NonZeroUsize,
    /// Pages in the write-ahead log at which a commit copies it into the file. Default 500 pages (4
    /// MiB in a file of the store's own). That commit takes 5 to 10 ms longer than others. With
    /// four times as many pages it takes 20 to 30 ms longer, and writes are 5 % faster on the
    /// whole.
    pub checkpoint_pages: u32,
    /// Pages at which the file counts as full: of 8 KiB in a file that the store created, otherwise
    /// of the file's own page size. Default none: the file may fill the disk.
    pub max_pages: Option<u32>,
    /// Bytes of the disk to keep free; zero keeps none. Default 64 MiB. While fewer are free, new
    /// messages, conversations and keys are refused as
    /// [`Full`](dm_core::store::StoreErrorKind::Full) before the file is changed. Reads,
    /// acknowledgements and expiry continue. The file itself does not shrink: make space beside it,
    /// or enlarge the disk. On Unix only.
    pub reserve_bytes: u64,
}

/// The owner of the database file that a store is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileOwner {
    /// The store. It creates the file if it is missing, readable by its user only, and keeps it in
    /// WAL mode.
    #[default]
    Store,
    /// The host, which has tables of its own in the file. The file must exist. The store owns only
    /// names that begin with [`SqliteConfig::table_prefix`], and leaves the journal mode,
    /// `user_version` and everything else of the file as they are. The store and the host's own
    /// connections wait for each other's writes.
    Host,
}

const fn at_least_one(n: usize) -> NonZeroUsize {
    match NonZeroUsize::new(n) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    }
}

impl SqliteConfig {
    /// Bytes that a conversation and a user take in memory together, at most. Mostly they take some
    /// 250.
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
