//! Writes that run statements of their own instead of using the batch state: expiry, announcements,
//! and forgetting a device. Each of these writes is a segment of its own.

mod announce;
mod expire;
mod forget;

pub(super) use announce::announce;
pub(super) use expire::expire;
pub(super) use forget::forget;

/// The statements of this module that must find their rows by an index, for the test `query_plans`.
#[cfg(test)]
pub(super) const INDEXED_STATEMENTS: [&str; 4] =
    [expire::LOCK_OLDEST, expire::OLDEST_ENTRIES, expire::DELETE_ENTRIES, announce::LOCK_PEERS];
