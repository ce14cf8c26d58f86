//! The choices for opening a store.

use std::num::NonZeroUsize;

use dm_core::store::{Invalid, StoreError, StoreErrorKind};
use dm_store_kv::Heads;

/// Choices for [`RedbStore::open_with`](crate::RedbStore::open_with). Start from the default and
/// change fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedbConfig {
    /// The size of the cache of the file's pages, in bytes; at least
    /// [`MIN_CACHE_BYTES`](Self::MIN_CACHE_BYTES). Default 64 MiB: an evicted page is read again
    /// from the operating system's cache of the file. Not used for a database that the host opened,
    /// which has its own.
    pub cache_bytes: usize,
    /// Memory for the newest numbers of conversations and users, in bytes. A conversation and a
    /// user take [`HEAD_BYTES`](Self::HEAD_BYTES) together; at least one of each is kept. Default
    /// 20 MiB: 65,536 of each, and a million take 305 MiB. A write to another one looks it up in
    /// the file first.
    pub heads_bytes: usize,
    /// The number of new inbox entries in small trees, from which they are moved into the large one
    /// in bulk; as many again are being moved. Default 65,536: with 10,000 conversations a batch of
    /// 256 messages then copies a quarter of the pages that it would copy without small trees. A
    /// higher number makes the moves cheaper, and each batch changes more pages. The first write to
    /// a user or conversation that is not in memory reads all of these rows once, and keeps the
    /// newest number of each inbox and conversation in them: at most 39 bytes for each row.
    pub recent_entries: NonZeroUsize,
    /// The way of recovery after a crash, which decides what opening and commits cost. Default
    /// [`Recovery::Quick`].
    pub recovery: Recovery,
    /// Bytes of the disk to keep free; zero keeps none. Default 64 MiB. While less is free, new
    /// messages, conversations and keys are refused as
    /// [`Full`](dm_core::store::StoreErrorKind::Full) before the engine is called; reads,
    /// acknowledgements and expiry go on. Expiry does not make the file smaller, so that room has
    /// to be made on the disk beside the file. On Unix only; not used for a database that the host
    /// opened.
    pub reserve_bytes: u64,
}

/// The way in which a file that was not closed, because the process was killed or the power was
/// cut, is recovered.
///
/// Measured with `examples/recovery.rs` on two cores, 512-byte payloads in 100,000 conversations,
/// with the file in the operating system's cache; from a cold disk, the time to read the whole file
/// comes on top of the walk:
///
/// | | quick | walk |
/// |---|---|---|
/// | opening after SIGKILL, 150,000 messages (272 MiB), 3 runs | 1 ms | 0.3 s |
/// | opening after SIGKILL, 1,000,000 messages (1.1 GiB), 2 runs | 1 ms | 1.3 and 1.4 s |
/// | opening after a clean close, 1,000,000 messages, 2 runs | 0.5 ms | 0.4 ms |
/// | commits of 256, 150,000 messages, 3 runs | 32,000 to 35,000 msg/s | 31,000 to 35,000 msg/s |
/// | commits of 256, 1,000,000 messages, 2 runs | 28,000 msg/s | 27,000 and 29,000 msg/s |
/// | commits of 1, 2 runs | 1,490 and 1,630 msg/s | 1,820 and 1,860 msg/s |
///
/// A walk takes a second and more, and longer with a larger file, while users wait for the service.
/// With quick recovery a large commit costs the same, and a small one a fifth more. So quick is the
/// default. The format of the file is the same: it may be opened with either way at any time, and
/// the last commit decides what a crash costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recovery {
    /// Each commit also saves which pages are free, so that opening after a crash takes as long as
    /// opening after a clean close.
    #[default]
    Quick,
    /// Opening after a crash reads the whole file. Commits write less.
    Walk,
}

impl RedbConfig {
    /// The smallest cache: below it, the pages of one batch evict each other.
    pub const MIN_CACHE_BYTES: usize = 1024 * 1024;

    /// Bytes that a conversation and a user take in memory together.
    pub const HEAD_BYTES: usize = Heads::BYTES;

    /// Refuses a choice that cannot work.
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
            heads_bytes: 20 * 1024 * 1024,
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
