//! Writes that work by statements of their own, beside the batch state: expiry, announcements, and
//! forgetting a device. Each is a segment of its own.

mod announce;
mod expire;
mod forget;

pub(super) use announce::announce;
pub(super) use expire::expire;
pub(super) use forget::forget;

#[cfg(test)]
pub(super) const HOT_STATEMENTS: [&str; 4] =
    [expire::TAKE_OLDEST, expire::OLDEST_ENTRIES, expire::DELETE_ENTRIES, announce::TAKE_PEERS];
