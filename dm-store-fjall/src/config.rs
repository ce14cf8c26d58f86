//! The choices for opening a store.

use dm_core::store::{Invalid, StoreError, StoreErrorKind};
use dm_store_kv::Heads;

/// Choices for [`FjallStore::open_with`](crate::FjallStore::open_with). Start from the default and
/// change fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FjallConfig {
    /// The size of the cache of the files' blocks, in bytes. Default 64 MiB: an evicted block is
    /// read again from the operating system's cache of the files. Not used for a database that the
    /// host opened, which has its own.
    pub cache_bytes: u64,
    /// Size of a table in memory before it is written to a file, in bytes; at least
    /// [`MIN_MEMTABLE_BYTES`](Self::MIN_MEMTABLE_BYTES). Default 16 MiB, so that journals become
    /// removable soon; fjall's own is 64 MiB. Larger ones are merged less often, which lowers the
    /// slowest hundredth of sends (17 ms in place of 28 with 256 in flight) and makes opening
    /// slower. A table has one that grows and, while the disk is behind, up to four that wait to be
    /// written. The size is fixed when the tables are created.
    pub memtable_bytes: u64,
    /// Journals kept on disk, in bytes, before tables that changed little are written to files so
    /// that old journals can go; at least [`MIN_JOURNAL_BYTES`](Self::MIN_JOURNAL_BYTES). Opening
    /// reads them all. Default 64 MiB: after a kill with a million conversations, opening took 0.8
    /// s, 2.7 s with twice as much, and sends were no faster with that (measured with `dm-bench
    /// open`). fjall's own is 512 MiB. Not used for a database that the host opened.
    pub journal_bytes: u64,
    /// Memory for the newest numbers of conversations and users, in bytes. A conversation and a
    /// user take [`HEAD_BYTES`](Self::HEAD_BYTES) together; at least one of each is kept. Default
    /// 20 MiB: 65,536 of each, and a million take 305 MiB. A write to another one looks it up in
    /// the tables first; one that was written to is dropped for it, and its newest number is
    /// written to a row. Closing writes a row for each that was written to.
    pub heads_bytes: usize,
    /// Bytes of the disk to keep free; zero keeps none. Default 64 MiB. While less is free, new
    /// messages, conversations and keys are refused as
    /// [`Full`](dm_core::store::StoreErrorKind::Full) before the engine is called; reads,
    /// acknowledgements and expiry go on. Expiry does not make the folder smaller at once, so that
    /// room has to be made on the disk beside it. On Unix only; not used for a database that the
    /// host opened.
    pub reserve_bytes: u64,
}

impl FjallConfig {
    /// The smallest memory table. A batch fills several smaller ones.
    pub const MIN_MEMTABLE_BYTES: u64 = 1024 * 1024;

    /// Bytes that a conversation and a user take in memory together.
    pub const HEAD_BYTES: usize = Heads::BYTES;

    /// The smallest size of journals that fjall accepts, which is that of one journal.
    pub const MIN_JOURNAL_BYTES: u64 = 64 * 1024 * 1024;

    /// Refuses a choice that cannot work.
    pub(crate) fn validate(&self) -> Result<(), StoreError> {
        if self.memtable_bytes < Self::MIN_MEMTABLE_BYTES {
            return refused(Invalid::new("memtable_bytes", "less than 1 MiB"));
        }
        if self.journal_bytes < Self::MIN_JOURNAL_BYTES {
            return refused(Invalid::new("journal_bytes", "less than 64 MiB"));
        }
        Ok(())
    }
}

fn refused(invalid: Invalid) -> Result<(), StoreError> {
    Err(StoreError::new(StoreErrorKind::Engine, invalid))
}

impl Default for FjallConfig {
    fn default() -> Self {
        Self {
            cache_bytes: 64 * 1024 * 1024,
            memtable_bytes: 16 * 1024 * 1024,
            journal_bytes: Self::MIN_JOURNAL_BYTES,
            heads_bytes: 20 * 1024 * 1024,
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
