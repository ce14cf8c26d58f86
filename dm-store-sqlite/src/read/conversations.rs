//! Reads single conversations, and pages of a user's conversations in the order of opening. The
//! newest rows are in runs, which are small groups of rows that are not merged into the main tables
//! yet ([`recent`](crate::recent)).
//!
//! For the plus signs in statements, see
//! [`CACHED_STATEMENTS`](crate::connection::CACHED_STATEMENTS).

use dm_core::store::{
    ConversationId, ConversationOrder, ConversationState, ConversationsQuery, ListedConversation,
};
use rusqlite::{OptionalExtension, Result, params};

use super::activity::most_active;
use super::records::records_about;
use super::state::state;
use crate::codec;
use crate::database::Database;
use crate::recent::activity::RunTimes;
use crate::recent::runs::Runs;

/// The state of one conversation; `None` if it does not exist.
pub(super) fn conversation(connection: &Database, id: ConversationId) -> Result<Option<ConversationState>> {
    let found: Option<i64> = connection
        .prepare_cached("SELECT ref FROM dm_conversations WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?;
    found.map(|found| state(connection, &Runs::read(connection)?, found)).transpose()
}

/// A page of a user's conversations, with the records that the query names.
pub(super) fn conversations(
    connection: &Database,
    run_times: &RunTimes,
    query: &ConversationsQuery,
) -> Result<Vec<ListedConversation>> {
    let user_ref: Option<i64> = connection
        .prepare_cached("SELECT ref FROM dm_users WHERE pubkey = ?1")?
        .query_row([query.user.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(user_ref) = user_ref else { return Ok(Vec::new()) };
    let states = match query.order {
        ConversationOrder::Active { after } => {
            most_active(connection, run_times, user_ref, after, query.limit)?
        }
        ConversationOrder::Opened { after } => opened(connection, user_ref, after, query.limit)?,
    };
    let listed = |state: ConversationState| {
        let id = state.conversation.id;
        Ok(ListedConversation { state, records: records_about(connection, query.user, id, &query.kinds)? })
    };
    states.into_iter().map(listed).collect()
}

/// Up to `limit` of a user's conversations with ids above `after`, in the order of their ids.
fn opened(
    connection: &Database,
    user_ref: i64,
    after: Option<ConversationId>,
    limit: usize,
) -> Result<Vec<ConversationState>> {
    // SQLite merges the rows of two indexes, and reads no more of them than the page has.
    let mut select = connection.prepare_cached(
        "SELECT ref, id FROM dm_conversations WHERE a = +?1 AND id > +?2
         UNION ALL
         SELECT ref, id FROM dm_conversations WHERE b = +?1 AND id > +?2
         ORDER BY id LIMIT +?3",
    )?;
    // No id is empty, so an empty one is before the first.
    let after = after.as_ref().map(|id| &id.as_bytes()[..]).unwrap_or_default();
    let runs = Runs::read(connection)?;
    select
        .query_map(params![user_ref, after, codec::usize_to_i64(limit)], |row| row.get(0))?
        .map(|found| state(connection, &runs, found?))
        .collect()
}
