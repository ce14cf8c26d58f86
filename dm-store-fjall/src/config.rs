//! [`FjallConfig`]: the options for opening a store.

use dm_core::store::{Invalid, StoreError, StoreErrorKind};
use dm_store_kv::Heads;

/// Options for [`FjallStore::open_with`](crate::FjallStore::open_with) and
/// [`FjallStore::from_database`](crate::FjallStore::from_database). Start from the default and
/// change fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FjallConfig {
    /// The size of the cache for blocks of the files, in bytes. Default 64 MiB.
    ///
    /// An evicted block is read again from the operating system's cache. This field has no effect
    /// on a database that the host opened, which has its own cache.
    pub cache_bytes: u64,
    /// The size of a memory table at which it is written to a file, in bytes; at least
    /// [`MIN_MEMTABLE_BYTES`](Self::MIN_MEMTABLE_BYTES). Default 16 MiB; fjall's own default is 64
    /// MiB.
    ///
    /// - With a smaller size, journals can be removed earlier, and opening is faster.
    /// - With a larger size, files are merged less often. With 256 sends in flight, the slowest
    ///   hundredth of sends takes 17 ms with 64 MiB, and 28 ms with the default.
    /// - A keyspace has one memory table that grows. If the disk is too slow, up to four full
    ///   memory tables wait to be written.
    /// - The size is fixed when the tables are created. For existing tables, this field has no
    ///   effect.
    pub memtable_bytes: u64,
    /// The total size of the journals above which old journals are removed, in bytes; at least
    /// [`MIN_JOURNAL_BYTES`](Self::MIN_JOURNAL_BYTES). Default 64 MiB; fjall's own default is 512
    /// MiB.
    ///
    /// To remove a journal, fjall writes memory tables to files, even small ones. Opening reads all
    /// journals: after a kill with a million conversations it took 0.8 s, and 2.7 s with 128 MiB.
    /// Sends were no faster with 128 MiB (measured with `dm-bench open`). This field has no effect
    /// on a database that the host opened.
    pub journal_bytes: u64,
    /// The maximum memory for the newest numbers of conversations and users, in bytes, with what
    /// else a send compares. Default 32 MiB, which holds 65,536 conversations and 65,536 users. A
    /// million conversations and a million users take 488 MiB.
    ///
    /// One conversation and one user together take [`HEAD_BYTES`](Self::HEAD_BYTES). At least one
    /// conversation and one user are kept in memory.
    ///
    /// - A write to a conversation or user that is not in memory first looks its number up in the
    ///   tables. If the memory is full, the least recently used number is dropped.
    /// - A dropped number is written to a row if it has changed since it was last written.
    /// - Closing the store writes a row for each such number that is still in memory.
    pub heads_bytes: usize,
    /// The space to keep free on the disk, in bytes. Default 64 MiB. Zero keeps no space free. This
    /// field has an effect on Unix only, and none on a database that the host opened.
    ///
    /// - While fewer bytes are free, new messages, conversations, records and posts are refused as
    ///   [`NoRoom`](dm_core::store::Refusal::NoRoom) before fjall is called.
    /// - Reads, acknowledgements and expiry continue.
    /// - Expiry does not make the folder smaller at once. To free space, delete other files or
    ///   enlarge the disk.
    pub reserve_bytes: u64,
}

impl FjallConfig {
    /// The minimum size of a memory table, in bytes. One batch could fill several smaller memory
    /// tables.
    pub const MIN_MEMTABLE_BYTES: u64 = 1024 * 1024;

    /// The maximum memory that a conversation and a user take together, in bytes.
    pub const HEAD_BYTES: usize = Heads::BYTES;

    /// The smallest `journal_bytes` that fjall accepts: the size of one journal.
    pub const MIN_JOURNAL_BYTES: u64 = 64 * 1024 * 1024;

    /// Checks the values of the fields.
    ///
    /// # Errors
    /// [`StoreErrorKind::Engine`] for a value below its minimum.
    pub(crate) fn validate(&self) -> Result<(), StoreError> {
        if self.memtable_bytes < Self::MIN_MEMTABLE_BYTES {
            return invalid_option(Invalid::new("memtable_bytes", "less than 1 MiB"));
        }
        if self.journal_bytes < Self::MIN_JOURNAL_BYTES {
            return invalid_option(Invalid::new("journal_bytes", "less than 64 MiB"));
        }
        Ok(())
    }
}

fn invalid_option(invalid: Invalid) -> Result<(), StoreError> {
    Err(StoreError::new(StoreErrorKind::Engine, invalid))
}

impl Default for FjallConfig {
    fn default() -> Self {
        Self {
            cache_bytes: 64 * 1024 * 1024,
            memtable_bytes: 16 * 1024 * 1024,
            journal_bytes: Self::MIN_JOURNAL_BYTES,
            heads_bytes: 32 * 1024 * 1024,
            reserve_bytes: 64 * 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_sizes_are_those_that_are_documented() {
        let config = FjallConfig::default();
        assert_eq!([config.cache_bytes, config.journal_bytes, config.reserve_bytes], [64 << 20; 3]);
        assert_eq!((config.memtable_bytes, config.heads_bytes / FjallConfig::HEAD_BYTES), (16 << 20, 65_536));
    }

    #[test]
    fn the_smallest_sizes_are_accepted_and_smaller_ones_are_refused() {
        let valid = |memtable_bytes, journal_bytes| {
            FjallConfig { memtable_bytes, journal_bytes, ..FjallConfig::default() }.validate().is_ok()
        };
        assert!(valid(1 << 20, 64 << 20));
        assert!(!valid((1 << 20) - 1, 64 << 20));
        assert!(!valid(1 << 20, (64 << 20) - 1));
    }
}
