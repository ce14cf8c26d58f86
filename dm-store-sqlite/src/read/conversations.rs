//! Conversations and lists of them.

use dm_core::{
    Conversation, ConversationId, ConversationState, ConversationsQuery, ServerSequence, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::codec;
use crate::heads::participants;

pub(super) fn conversation(connection: &Connection, id: ConversationId) -> Result<Option<ConversationState>> {
    connection
        .prepare_cached(
            "SELECT c.id, a.pubkey, b.pubkey, c.opened_at, s.seq, s.at
             FROM dm_conversations c JOIN dm_users a ON a.ref = c.a JOIN dm_users b ON b.ref = c.b
             LEFT JOIN dm_sequence s ON s.conversation = c.ref
                  AND s.seq = (SELECT max(seq) FROM dm_sequence WHERE conversation = c.ref)
             WHERE c.id = +?1",
        )?
        .query_row([id.as_bytes()], state)
        .optional()
}

/// A page in the order of the core's cursor: last activity, newest first, never-active last, then id, newest first.
///
/// It looks at the newest message of each of the user's conversations, which is one step in a narrow tree, and joins
/// the rest for the page only. Times beyond SQLite's range are negative numbers here and compare as the largest: a cursor
/// is a client's to make up.
pub(super) fn conversations(
    connection: &Connection,
    query: &ConversationsQuery,
) -> Result<Vec<ConversationState>> {
    let cursor_at = query.after.and_then(|cursor| cursor.last_activity).map(codec::time);
    let cursor_id = query.after.map(|cursor| cursor.id);
    connection
        .prepare_cached(
            "WITH mine (ref, id, a, b, opened_at, seq, at) AS (
                 SELECT c.ref, c.id, c.a, c.b, c.opened_at, s.seq, s.at
                 FROM (
                     SELECT c.* FROM dm_users u JOIN dm_conversations c ON c.a = u.ref WHERE u.pubkey = +?1
                     UNION ALL
                     SELECT c.* FROM dm_users u JOIN dm_conversations c ON c.b = u.ref WHERE u.pubkey = +?1
                 ) c
                 LEFT JOIN dm_sequence s ON s.conversation = c.ref
                      AND s.seq = (SELECT max(seq) FROM dm_sequence WHERE conversation = c.ref)
             ), page AS (
                 SELECT * FROM mine
                 WHERE ?3 IS NULL
                    OR (?2 IS NOT NULL AND (at IS NULL OR (at < 0, at, id) < (?2 < 0, ?2, ?3)))
                    OR (?2 IS NULL AND at IS NULL AND id < ?3)
                 ORDER BY at IS NULL, at < 0 DESC, at DESC, id DESC LIMIT ?4
             )
             SELECT p.id, a.pubkey, b.pubkey, p.opened_at, p.seq, p.at
             FROM page p JOIN dm_users a ON a.ref = p.a JOIN dm_users b ON b.ref = p.b
             ORDER BY p.at IS NULL, p.at < 0 DESC, p.at DESC, p.id DESC",
        )?
        .query_map(
            params![
                query.user.as_bytes(),
                cursor_at,
                cursor_id.as_ref().map(ConversationId::as_bytes),
                codec::count(query.limit)
            ],
            state,
        )?
        .collect()
}

fn state(row: &Row<'_>) -> Result<ConversationState> {
    let conversation = Conversation {
        id: codec::get_conversation(row, 0)?,
        participants: participants(row, 1)?,
        opened_at: codec::get_time(row, 3)?,
    };
    let head = match row.get_ref(4)? {
        rusqlite::types::ValueRef::Null => ServerSequence::ZERO,
        _ => ServerSequence::new(codec::get_number(row, 4)?),
    };
    let at: Option<i64> = row.get(5)?;
    let last_activity = at.map(|at| Timestamp::from_millis(at.cast_unsigned()));
    Ok(ConversationState { conversation, head, last_activity })
}
