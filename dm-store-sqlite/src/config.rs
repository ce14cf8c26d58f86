//! The configuration of a store.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::table_prefix::TablePrefix;

/// The configuration for [`SqliteStore::open_with`](crate::SqliteStore::open_with). Start from the
/// default and change fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SqliteConfig {
    /// The owner of the file. Default [`FileOwner::Store`].
    pub owner: FileOwner,
    /// The prefix of the names of the store's tables and indexes. Default `dm_`. Stores with
    /// different prefixes can share a file.
    pub table_prefix: TablePrefix,
    /// The number of connections that read. Default 4: reads are short, and further connections
    /// would wait for the same disk.
    pub readers: NonZeroUsize,
    /// The maximum time that a call waits while another connection holds the file's lock. The call
    /// then fails as [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable). Default 5 s.
    pub busy_timeout: Duration,
    /// The size of the writing connection's page cache, in bytes. Default 32 MiB. The cache of each
    /// reading connection has an eighth of this size.
    pub cache_bytes: usize,
    /// Memory for the newest numbers of inboxes and conversations, with their fences, gates and
    /// counts, in bytes. Default 30 MiB, which is enough for 65,536 users and 65,536 conversations.
    ///
    /// - One user and one conversation together take up to [`HEAD_BYTES`](Self::HEAD_BYTES). At
    ///   least one user and one conversation are kept.
    /// - A million users and a million conversations take up to 458 MiB.
    /// - A message in a conversation that is not in memory costs one more statement. This statement
    ///   reads the rows of the conversation and of its two users.
    pub heads_bytes: usize,
    /// The number of inbox entries in a full generation (a group of new rows). Default 131,072.
    ///
    /// New entries go into small tables, one generation after the other. When the newest generation
    /// is full, the next one begins, and the rows of the full one are moved to the large main
    /// tables, some with each batch. So the small tables hold up to twice this number of entries.
    ///
    /// - With the default and 10,000 conversations, a send writes a quarter of the pages that it
    ///   would write without small tables.
    /// - A higher number makes moving rows cheaper, but each batch writes more pages of the small
    ///   tables.
    /// - The first message to a user who is not in memory reads all rows of the small tables once,
    ///   which takes up to a tenth of a second.
    /// - From then on, the store also keeps in memory the newest number of each inbox and
    ///   conversation that has rows in the small tables: at most 59 bytes per entry, about 15 MiB
    ///   by default.
    pub recent_entries: NonZeroUsize,
    /// The number of pages in the write-ahead log (WAL) at which a commit runs a checkpoint:
    /// SQLite's `wal_autocheckpoint`. Default 500 pages, which are 4 MiB in a file of the store's
    /// own.
    ///
    /// - A commit that runs a checkpoint takes 5 to 10 ms longer than others.
    /// - With four times as many pages, such a commit takes 20 to 30 ms longer than others, and
    ///   writes are 5 % faster on average.
    pub checkpoint_pages: u32,
    /// The maximum size of the file, in pages. Default `None`: the file may fill the disk. A batch
    /// that needs more pages fails as [`Full`](dm_core::store::StoreErrorKind::Full).
    ///
    /// Pages have 8 KiB in a file that the store created, and otherwise the file's own page size.
    pub max_pages: Option<u32>,
    /// The space to keep free on the disk, in bytes. Default 64 MiB. Zero keeps none. Has an effect
    /// on Unix only.
    ///
    /// - While fewer bytes are free, new messages, conversations and records are refused as
    ///   [`Full`](dm_core::store::StoreErrorKind::Full) before the file is changed.
    /// - Reads, acknowledgements and expiry continue.
    /// - The database file does not shrink. To free space, delete other files or enlarge the disk.
    pub reserve_bytes: u64,
}

/// The owner of the database file that a store uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileOwner {
    /// The store. It creates the file if it is missing, with access for the process's user only,
    /// and sets the journal mode to WAL (write-ahead log).
    #[default]
    Store,
    /// The host, which has tables of its own in the file. The file must exist. The store owns only
    /// names that begin with [`SqliteConfig::table_prefix`]. It does not change the journal mode,
    /// `user_version` or anything else of the file. The store and the host's own connections wait
    /// for each other's writes.
    Host,
}

/// `n`, or one if `n` is zero.
const fn at_least_one(n: usize) -> NonZeroUsize {
    match NonZeroUsize::new(n) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    }
}

impl SqliteConfig {
    /// The maximum memory of one user and one conversation together, in bytes. Usually they take
    /// about 430 bytes.
    pub const HEAD_BYTES: usize = 480;
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self {
            owner: FileOwner::Store,
            table_prefix: TablePrefix::default(),
            readers: at_least_one(4),
            busy_timeout: Duration::from_secs(5),
            cache_bytes: 32 * 1024 * 1024,
            heads_bytes: 30 * 1024 * 1024,
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
    fn the_default_sizes_are_as_documented() {
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
