//! Expiry, which runs statements of its own instead of using the batch state. It is a segment of its
//! own.

mod expire;

pub(super) use expire::expire;

/// The statements of this module that must find their rows by an index, for the test `query_plans`.
#[cfg(test)]
pub(super) const INDEXED_STATEMENTS: [&str; 4] =
    [expire::LOCK_OLDEST, expire::OLDEST_ENTRIES, expire::FLOOR_ENTRIES, expire::DELETE_ENTRIES];
