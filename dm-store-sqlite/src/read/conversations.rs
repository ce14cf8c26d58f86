//! Reads single conversations and pages of a user's conversations. The newest rows are in runs,
//! which are small groups of rows that are not merged into the main tables yet
//! ([`recent`](crate::recent)).
//!
//! For the plus signs in statements, see
//! [`CACHED_STATEMENTS`](crate::connection::CACHED_STATEMENTS).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use dm_core::store::{
    Conversation, ConversationId, ConversationState, ConversationsQuery, ServerSequence, Timestamp,
};
use rusqlite::{OptionalExtension, Result, Row, params};

use crate::codec;
use crate::database::Database;
use crate::recent::activity::{RecentActivity, RunTimes};
use crate::recent::read::newest_message;
use crate::recent::runs::Runs;

/// The state of one conversation; `None` if it does not exist.
pub(super) fn conversation(connection: &Database, id: ConversationId) -> Result<Option<ConversationState>> {
    let found = connection
        .prepare_cached(
            "SELECT c.id, a.pubkey, b.pubkey, c.opened_at, c.head, c.last_at, c.ref
             FROM dm_conversations c JOIN dm_users a ON a.ref = c.a JOIN dm_users b ON b.ref = c.b
             WHERE c.id = +?1",
        )?
        .query_row([id.as_bytes()], |row| Ok((state(row)?, row.get(6)?)))
        .optional()?;
    let Some((mut state, conversation_ref)) = found else { return Ok(None) };
    if let Some((seq, at)) = newest_message(connection, &Runs::read(connection)?, conversation_ref)? {
        state.head = ServerSequence::new(seq.cast_unsigned());
        state.last_activity = Some(codec::time_from_i64(at));
    }
    Ok(Some(state))
}

/// The number of a conversation's newest message, and the time at which the server received it.
/// Zero and `None` before the first message.
type Activity = (i64, Option<Timestamp>);

/// A conversation of a page: its sort key (time of the last activity, and id), its `ref`, and the
/// number of its newest message.
type Listed = ((Option<Timestamp>, ConversationId), i64, i64);

/// A page of a user's conversations, sorted by last activity (newest first, conversations without
/// messages last), then by id (highest first).
///
/// The function reads the rows of all conversations of the user. A conversation's row holds the
/// number and the time of its newest merged message. Newer messages are found by the user's inbox
/// entries in runs. The participants are read only for the conversations of the page. An index by
/// activity would avoid reading all conversations, but every send would change two more pages.
pub(super) fn conversations(
    connection: &Database,
    run_times: &RunTimes,
    query: &ConversationsQuery,
) -> Result<Vec<ConversationState>> {
    let user_ref: Option<i64> = connection
        .prepare_cached("SELECT ref FROM dm_users WHERE pubkey = ?1")?
        .query_row([query.user.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(user_ref) = user_ref else { return Ok(Vec::new()) };
    let runs = Runs::read(connection)?;
    let recent = RecentActivity::read(connection, &runs, run_times, user_ref, query)?;
    // The top of the heap is the page's last conversation. When the page is full, the next
    // conversation that precedes the last one replaces it.
    let mut page = BinaryHeap::new();
    for member in ["a", "b"] {
        let mut select = connection.prepare_cached(&format!(
            "SELECT ref, id, head, last_at FROM dm_conversations WHERE {member} = ?1"
        ))?;
        let mut rows = select.query([user_ref])?;
        while let Some(row) = rows.next()? {
            let conversation_ref: i64 = row.get(0)?;
            let mut newest: Activity = match recent.newest.get(&conversation_ref) {
                Some((seq, at)) => (*seq, Some(*at)),
                None => (row.get(2)?, row.get::<_, Option<i64>>(3)?.map(codec::time_from_i64)),
            };
            if newest.1 < recent.min_activity {
                continue;
            }
            if recent.is_partial && !recent.newest.contains_key(&conversation_ref) {
                // The skipped runs may hold newer messages of this conversation.
                if let Some((seq, at)) = newest_message(connection, &runs, conversation_ref)? {
                    newest = (seq, Some(codec::time_from_i64(at)));
                }
            }
            let (seq, last_activity) = newest;
            let is_full = page.len() == query.limit;
            let last = page.peek().map(|Reverse(((at, _), ..)): &Reverse<Listed>| *at);
            if is_full && last.is_some_and(|last| last_activity < last) {
                continue;
            }
            let position = (last_activity, codec::get_conversation(row, 1)?);
            if query.after.is_none_or(|after| position < (after.last_activity, after.id)) {
                page.push(Reverse((position, conversation_ref, seq)));
                if is_full {
                    page.pop();
                }
            }
        }
    }
    let mut select = connection.prepare_cached(
        "SELECT c.id, a.pubkey, b.pubkey, c.opened_at, +?2, +?3
         FROM dm_conversations c JOIN dm_users a ON a.ref = c.a JOIN dm_users b ON b.ref = c.b WHERE c.ref = +?1",
    )?;
    page.into_sorted_vec()
        .into_iter()
        .map(|Reverse(((last_activity, _), conversation_ref, seq))| {
            select.query_row(params![conversation_ref, seq, last_activity.map(codec::time_to_i64)], state)
        })
        .collect()
}

/// A conversation, from the columns `id, a.pubkey, b.pubkey, opened_at, head, last_at`.
fn state(row: &Row<'_>) -> Result<ConversationState> {
    let conversation = Conversation {
        id: codec::get_conversation(row, 0)?,
        participants: codec::get_participants(row, 1)?,
        opened_at: codec::get_time(row, 3)?,
    };
    let head = ServerSequence::new(codec::get_number(row, 4)?);
    let at: Option<i64> = row.get(5)?;
    let last_activity = at.map(codec::time_from_i64);
    Ok(ConversationState { conversation, head, last_activity })
}
