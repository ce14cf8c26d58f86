//! Conversations and lists of them.

use std::sync::LazyLock;

use dm_core::{
    Conversation, ConversationId, ConversationState, ConversationsQuery, ServerSequence, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::codec;
use crate::heads::{newest_message, participants};
use crate::runs::{Layout, RUNS};

pub(super) fn conversation(connection: &Connection, id: ConversationId) -> Result<Option<ConversationState>> {
    let found = connection
        .prepare_cached(
            "SELECT c.id, a.pubkey, b.pubkey, c.opened_at, c.head, c.last_at, c.ref
             FROM dm_conversations c JOIN dm_users a ON a.ref = c.a JOIN dm_users b ON b.ref = c.b
             WHERE c.id = +?1",
        )?
        .query_row([id.as_bytes()], |row| Ok((state(row)?, row.get(6)?)))
        .optional()?;
    let Some((mut state, thread_ref)) = found else { return Ok(None) };
    if let Some((seq, at)) = newest_message(connection, &Layout::read(connection)?, thread_ref)? {
        state.head = ServerSequence::new(seq.cast_unsigned());
        state.last_activity = Some(Timestamp::from_millis(at.cast_unsigned()));
    }
    Ok(Some(state))
}

/// A page in the order of the core's cursor: last activity, newest first, never-active last, then id, newest first.
///
/// It looks at all of the user's conversations, whose rows tell their activity up to what is moved, and at the user's own
/// recent entries, which tell the rest; both tables of them whole, because some may be moved for the user and not yet for
/// the conversation. Times beyond SQLite's range are negative numbers here and compare as the largest: a cursor is a
/// client's to make up.
pub(super) fn conversations(
    connection: &Connection,
    query: &ConversationsQuery,
) -> Result<Vec<ConversationState>> {
    let cursor_at = query.after.and_then(|cursor| cursor.last_activity).map(codec::time);
    let cursor_id = query.after.map(|cursor| cursor.id);
    connection
        .prepare_cached(&PAGE)?
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

static PAGE: LazyLock<String> = LazyLock::new(|| {
    let runs: Vec<String> = (0..RUNS).map(|run| run.to_string()).collect();
    let recent = |table: u8| {
        format!(
            "SELECT r.conversation, r.conversation_seq, r.at FROM dm_users u JOIN dm_recent_inbox_{table} r
             ON r.run IN ({}) AND r.user = u.ref WHERE u.pubkey = +?1 AND r.conversation IS NOT NULL",
            runs.join(", ")
        )
    };
    format!(
        "WITH recent (conversation, seq, at) AS MATERIALIZED (
             SELECT conversation, max(conversation_seq), at FROM ({} UNION ALL {}) GROUP BY conversation
         ), mine (ref, id, a, b, opened_at, seq, at) AS (
             SELECT c.ref, c.id, c.a, c.b, c.opened_at, max(c.head, coalesce(r.seq, 0)),
                    iif(r.seq > c.head, r.at, c.last_at)
             FROM (
                 SELECT c.* FROM dm_users u JOIN dm_conversations c ON c.a = u.ref WHERE u.pubkey = +?1
                 UNION ALL
                 SELECT c.* FROM dm_users u JOIN dm_conversations c ON c.b = u.ref WHERE u.pubkey = +?1
             ) c
             LEFT JOIN recent r ON r.conversation = c.ref
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
        recent(0),
        recent(1)
    )
});

fn state(row: &Row<'_>) -> Result<ConversationState> {
    let conversation = Conversation {
        id: codec::get_conversation(row, 0)?,
        participants: participants(row, 1)?,
        opened_at: codec::get_time(row, 3)?,
    };
    let head = ServerSequence::new(codec::get_number(row, 4)?);
    let at: Option<i64> = row.get(5)?;
    let last_activity = at.map(|at| Timestamp::from_millis(at.cast_unsigned()));
    Ok(ConversationState { conversation, head, last_activity })
}
