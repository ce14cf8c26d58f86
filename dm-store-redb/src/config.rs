//! The configuration of a store.

use std::num::NonZeroUsize;

use dm_core::store::{Invalid, StoreError, StoreErrorKind};
use dm_store_kv::Heads;

/// The configuration for [`RedbStore::open_with`](crate::RedbStore::open_with). Start from the
/// default and change fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedbConfig {
    /// The size of the page cache, in bytes. Default 64 MiB. Must be at least
    /// [`MIN_CACHE_BYTES`](Self::MIN_CACHE_BYTES).
    ///
    /// An evicted page is read again from the operating system's cache of the file. This field has
    /// no effect on a database that the host opened, which has its own cache.
    pub cache_bytes: usize,
    /// Memory for the newest numbers of users and conversations, in bytes, with what else a send
    /// compares. Default 32 MiB, which holds 65,536 users and 65,536 conversations.
    ///
    /// - One user and one conversation together take [`HEAD_BYTES`](Self::HEAD_BYTES). At least one
    ///   user and one conversation are kept.
    /// - A million users and a million conversations take 488 MiB.
    /// - A write to a user or conversation that is not in memory first reads its numbers from the
    ///   file.
    pub heads_bytes: usize,
    /// The number of inbox entries in a full generation of runs. Default 65,536.
    ///
    /// New entries go into small tables, the runs. When these hold a full generation, the next
    /// generation begins, and the full one is merged into the main table, some rows with each
    /// batch. So the runs hold up to twice this number of entries.
    ///
    /// - With the default and 10,000 conversations, a batch of 256 messages copies a quarter of the
    ///   pages that it would copy without runs.
    /// - A higher number makes merging cheaper, but each batch changes more pages.
    /// - The first write to a user or conversation that is not in memory reads all rows in runs
    ///   once.
    /// - After this read, the store keeps in memory the newest number of each inbox and
    ///   conversation that has rows in runs. This takes at most 39 bytes for each row in runs.
    pub recent_entries: NonZeroUsize,
    /// The method of recovery after a crash. Default [`Recovery::Quick`]. The method determines how
    /// long commits take, and opening the file after a crash.
    pub recovery: Recovery,
    /// The space to keep free on the disk, in bytes. Default 64 MiB. Zero keeps no space free. This
    /// field has an effect on Unix only, and none on a database that the host opened.
    ///
    /// - While fewer bytes are free, new messages, conversations, records and posts are refused as
    ///   [`NoRoom`](dm_core::store::Refusal::NoRoom) before redb is called.
    /// - Reads, acknowledgements and expiry continue.
    /// - Expiry does not make the file smaller. To free space, delete other files or enlarge the
    ///   disk.
    pub reserve_bytes: u64,
}

/// The method of recovering a file that was not closed, because the process was killed or the power
/// was cut.
///
/// The table was measured with `examples/recovery.rs` on two cores, with 512-byte payloads in
/// 100,000 conversations. The file was in the operating system's cache. With a cold cache, a walk
/// also takes the time to read the whole file from the disk.
///
/// | | quick | walk |
/// |---|---|---|
/// | opening after SIGKILL, 150,000 messages (272 MiB), 3 measurements | 1 ms | 0.3 s |
/// | opening after SIGKILL, 1,000,000 messages (1.1 GiB), 2 measurements | 1 ms | 1.3 and 1.4 s |
/// | opening after a clean close, 1,000,000 messages, 2 measurements | 0.5 ms | 0.4 ms |
/// | commits of 256 messages, 150,000 stored, 3 measurements | 32,000 to 35,000 msg/s | 31,000 to 35,000 msg/s |
/// | commits of 256 messages, 1,000,000 stored, 2 measurements | 28,000 msg/s | 27,000 and 29,000 msg/s |
/// | commits of 1 message, 2 measurements | 1,490 and 1,630 msg/s | 1,820 and 1,860 msg/s |
///
/// With a million messages, a walk takes more than a second, during which users wait for the
/// service. A larger file takes longer. With quick recovery a large commit costs the same as with a
/// walk, and a small commit a fifth more. So quick is the default.
///
/// Both methods use the same file format, so the method may change each time the file is opened.
/// The method of the last commit before a crash determines the cost of recovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recovery {
    /// Each commit also saves which pages are free, so that opening after a crash takes as long as
    /// opening after a clean close.
    #[default]
    Quick,
    /// Opening after a crash reads the whole file. Commits write fewer pages.
    Walk,
}

impl RedbConfig {
    /// The minimum of `cache_bytes`. In a smaller cache, the pages of one batch evict each other.
    pub const MIN_CACHE_BYTES: usize = 1024 * 1024;

    /// The memory of one user and one conversation together, in bytes.
    pub const HEAD_BYTES: usize = Heads::BYTES;

    /// Checks the values of the fields.
    ///
    /// # Errors
    /// [`StoreErrorKind::Engine`] when `cache_bytes` is below its minimum.
    pub(crate) fn validate(&self) -> Result<(), StoreError> {
        if self.cache_bytes < Self::MIN_CACHE_BYTES {
            let invalid = Invalid::new("cache_bytes", "less than 1 MiB");
            return Err(StoreError::new(StoreErrorKind::Engine, invalid));
        }
        Ok(())
    }
}

const fn at_least_one(n: usize) -> NonZeroUsize {
    match NonZeroUsize::new(n) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    }
}

impl Default for RedbConfig {
    fn default() -> Self {
        Self {
            cache_bytes: 64 * 1024 * 1024,
            heads_bytes: 32 * 1024 * 1024,
            recent_entries: at_least_one(65_536),
            recovery: Recovery::Quick,
            reserve_bytes: 64 * 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_sizes_are_those_that_are_documented() {
        let config = RedbConfig::default();
        assert_eq!((config.cache_bytes, config.reserve_bytes), (64 << 20, 64 << 20));
        let heads = config.heads_bytes / RedbConfig::HEAD_BYTES;
        assert_eq!([heads, config.recent_entries.get()], [65_536, 65_536]);
    }

    #[test]
    fn a_cache_of_a_mebibyte_is_accepted_and_a_smaller_one_is_refused() {
        let cache = |cache_bytes| RedbConfig { cache_bytes, ..RedbConfig::default() }.validate();
        assert!(cache(1 << 20).is_ok());
        assert!(cache((1 << 20) - 1).is_err());
    }
}
