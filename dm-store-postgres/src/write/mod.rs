//! Writing: one batch of writes is one transaction.
//!
//! # The way of a batch
//!
//! 1. [`committer`] takes a connection and a commit marker, and repeats an attempt that failed
//!    because of other transactions.
//! 2. [`attempt`] is one try. [`lock_set`] collects the users whose rows the batch locks, with the
//!    help of the [`participants_cache`]. [`segment`] cuts the batch into parts; most batches are
//!    one segment.
//! 3. For each segment, [`load`] locks and reads rows, in one round trip, into the batch [`state`].
//! 4. [`decide`] applies the writes to the state, one after another, without the database.
//! 5. [`flush`] writes the changed rows with one statement for each table.
//! 6. The last flush of the batch carries the [`commit_marker`] and `COMMIT`. The marker tells
//!    later whether a commit whose answer was lost took place.
//!
//! Expiry, announcements and forgetting a device are segments of their own: they work by statements
//! instead of steps 3 to 5 ([`direct`]). A [`pipeline`] sends statements together in one round
//! trip.
//!
//! # Locks
//!
//! A batch locks the rows of all users that it names, and of the users of all conversations that it
//! names, in the order of their keys, before it reads anything else. Each row that it changes
//! belongs to one of them: an inbox and its devices to their user, a conversation and its messages
//! to both of its users. So two batches with a row in common have a user in common, and one of them
//! waits there for the other's commit. Each statement behind the locks sees everything that was
//! committed before they were granted. This is why `READ COMMITTED` is enough, and why there is no
//! cycle of waiting. A segment that sends raises inbox and conversation heads while it locks: see
//! `load/reserve.rs`.

mod attempt;
mod commit_marker;
mod committer;
mod decide;
mod direct;
mod flush;
mod load;
mod lock_set;
mod participants_cache;
mod pipeline;
mod segment;
mod state;

pub(crate) use commit_marker::{CommitMarkers, remove_stale};
pub(crate) use committer::Committer;
#[cfg(test)]
pub(crate) use load::RESERVE_ENTRIES;
pub(crate) use participants_cache::ParticipantsCache;

/// The statements of sends and acknowledgements, and those of expiry and announcing that read many
/// rows of a table.
#[cfg(test)]
pub(crate) fn hot_statements() -> Vec<String> {
    let mut statements = load::hot_statements();
    let fixed = flush::HOT_STATEMENTS.into_iter().chain(direct::HOT_STATEMENTS);
    statements.extend(fixed.chain([commit_marker::ADVANCE]).map(str::to_owned));
    statements
}
