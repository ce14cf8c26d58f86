//! Writing. One batch of writes is one transaction.
//!
//! # The steps of a batch
//!
//! 1. [`committer`] takes a connection and a commit marker. If an attempt fails because of other
//!    transactions, it starts another attempt.
//! 2. [`attempt`] is one attempt. [`lock_set`] collects the users whose rows the batch locks. It
//!    finds the participants of conversations in the [`participants_cache`]. [`segment`] divides
//!    the batch into segments, which are loaded, decided and written one after another. Most
//!    batches are one segment.
//! 3. For each segment, [`load`] locks and reads rows into the batch [`state`], in one round trip.
//! 4. [`decide`] applies the writes to the state, one after another, without the database.
//! 5. [`write_rows`] writes the changed rows, with a fixed set of statements. Each statement writes
//!    all its rows at once.
//! 6. After the last segment, the advance of the [`commit_marker`] and `COMMIT` are sent together
//!    with the statements of step 5. If the answer to `COMMIT` is lost, the marker shows whether
//!    the commit took place.
//!
//! Expiry is a segment of its own. It runs statements of its own instead of steps 3 to 5: see
//! [`direct`]. A [`pipeline`] sends statements together, in one round trip.
//!
//! # Locks
//!
//! A batch locks the rows of all users that it names, and of the participants of all conversations
//! that it names, in the order of the user ids. Then it locks the guards of records that belong to
//! no user ([`lock_set`]), in the order of owners and kinds. Only then does it read rows that another
//! transaction can change. Each row that the batch changes belongs to one of these users or has a
//! guard: an inbox, devices and records to their user; a conversation, its messages, its records and
//! the gate of its pair to both participants.
//!
//! All statements that lock users take the lock of an `UPDATE` that changes no key. A batch of
//! several segments locks its users in the first one, so no later segment waits for a lock.
//!
//! So two batches that share a row share a user or a guard, and one of the two waits for this lock
//! until the other commits. The statements after the locks see everything that was committed before
//! the locks were granted. This is why `READ COMMITTED` is enough, and why batches do not wait for
//! each other in a cycle.
//!
//! A user whose records, gate or inbox a batch names and who has no row gets one before the locks,
//! so that there is a row to lock even where a condition only finds that a record is absent.
//!
//! A segment that appends messages or entries raises the heads of inboxes and conversations with the
//! same statements that lock: see `load/reserve.rs`.

mod attempt;
mod commit_marker;
mod committer;
mod decide;
mod direct;
mod load;
mod lock_set;
mod participants_cache;
mod pipeline;
mod segment;
mod state;
mod write_rows;

pub(crate) use commit_marker::{CommitMarkers, delete_stale_markers};
pub(crate) use committer::Committer;
#[cfg(test)]
pub(crate) use load::entries_statement;
pub(crate) use participants_cache::ParticipantsCache;

/// The statements that must find their rows by an index, for the test `query_plans`: those of sends
/// and acknowledgements, those that find records and gates, and those of expiry that find many rows.
#[cfg(test)]
pub(crate) fn indexed_statements() -> Vec<String> {
    let mut statements = load::indexed_statements();
    let fixed = write_rows::INDEXED_STATEMENTS.into_iter().chain(direct::INDEXED_STATEMENTS);
    statements.extend(fixed.chain([commit_marker::ADVANCE]).map(str::to_owned));
    statements
}
