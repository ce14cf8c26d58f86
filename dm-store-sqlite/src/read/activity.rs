//! Reads pages of a user's conversations in the order of their last activity.
//!
//! For the plus signs in statements, see
//! [`CACHED_STATEMENTS`](crate::connection::CACHED_STATEMENTS).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use dm_core::store::{ConversationCursor, ConversationId, ConversationState, ServerSequence, Timestamp};
use rusqlite::Result;

use super::state::{merged_state, state};
use crate::codec;
use crate::database::Database;
use crate::recent::activity::{RecentActivity, RecentMessage, RunTimes};
use crate::recent::read::{counts_in_run, newest_message};
use crate::recent::runs::Runs;

/// A conversation of a page: its sort key (time of the last activity, and id), and its `ref`.
type Listed = ((Option<Timestamp>, ConversationId), i64);

/// A page of a user's conversations, sorted by last activity (newest first, conversations without
/// messages last), then by id (highest first).
///
/// The function reads the rows of all conversations of the user. A conversation's row holds the
/// number and the time of its newest merged message. Newer messages are found by the user's inbox
/// entries in runs. The participants and the counts are read only for the conversations of the
/// page. An index by activity would avoid reading all conversations, but every send would change
/// two more pages.
pub(super) fn most_active(
    connection: &Database,
    run_times: &RunTimes,
    user_ref: i64,
    after: Option<ConversationCursor>,
    limit: usize,
) -> Result<Vec<ConversationState>> {
    let runs = Runs::read(connection)?;
    let recent = RecentActivity::read(connection, &runs, run_times, user_ref, after, limit)?;
    // The top of the heap is the page's last conversation. When the page is full, the next
    // conversation that precedes the last one replaces it.
    let mut page = BinaryHeap::new();
    for member in ["a", "b"] {
        let mut select = connection
            .prepare_cached(&format!("SELECT ref, id, last_at FROM dm_conversations WHERE {member} = ?1"))?;
        let mut rows = select.query([user_ref])?;
        while let Some(row) = rows.next()? {
            let conversation_ref: i64 = row.get(0)?;
            let mut last_activity = match recent.newest.get(&conversation_ref) {
                Some(newest) => Some(newest.at),
                None => row.get::<_, Option<i64>>(2)?.map(codec::time_from_i64),
            };
            if last_activity < recent.min_activity {
                continue;
            }
            if recent.is_partial && !recent.newest.contains_key(&conversation_ref) {
                // The skipped runs may hold newer messages of this conversation.
                if let Some(newest) = newest_message(connection, &runs, conversation_ref)? {
                    last_activity = Some(newest.at);
                }
            }
            let is_full = page.len() == limit;
            let last = page.peek().map(|Reverse(((at, _), _)): &Reverse<Listed>| *at);
            if is_full && last.is_some_and(|last| last_activity < last) {
                continue;
            }
            let position = (last_activity, codec::get_conversation(row, 1)?);
            if after.is_none_or(|after| position < (after.last_activity, after.id)) {
                page.push(Reverse((position, conversation_ref)));
                if is_full {
                    page.pop();
                }
            }
        }
    }
    let page = page.into_sorted_vec();
    let newest = |Reverse((_, listed)): Reverse<Listed>| match recent.newest.get(&listed) {
        Some(message) => recent_state(connection, listed, message),
        None if recent.is_partial => state(connection, &runs, listed),
        None => merged_state(connection, listed),
    };
    page.into_iter().map(newest).collect()
}

/// A conversation with its newest message, about which the user has an entry in a run.
fn recent_state(
    connection: &Database,
    conversation_ref: i64,
    RecentMessage { seq, at, run }: &RecentMessage,
) -> Result<ConversationState> {
    let counts = counts_in_run(connection, (run.table(), run.number), conversation_ref, *seq)?;
    let (head, last_activity) = (ServerSequence::new(seq.cast_unsigned()), Some(*at));
    Ok(ConversationState { head, last_activity, counts, ..merged_state(connection, conversation_ref)? })
}
