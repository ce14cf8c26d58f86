//! The state of a conversation, from its row and from runs (small groups of new rows,
//! [`recent`](crate::recent)).

use dm_core::store::{Conversation, ConversationState, ServerSequence};
use rusqlite::Result;

use crate::codec::{self, gate};
use crate::database::Database;
use crate::recent::read::newest_message;
use crate::recent::runs::Runs;

/// A conversation with its newest merged message.
pub(super) fn merged_state(connection: &Database, conversation_ref: i64) -> Result<ConversationState> {
    connection
        .prepare_cached(
            "SELECT c.id, a.pubkey, b.pubkey, c.opened_at, c.head, c.last_at, c.counts
             FROM dm_conversations c JOIN dm_users a ON a.ref = c.a JOIN dm_users b ON b.ref = c.b
             WHERE c.ref = +?1",
        )?
        .query_row([conversation_ref], |row| {
            let conversation = Conversation {
                id: codec::get_conversation(row, 0)?,
                participants: codec::get_participants(row, 1)?,
                opened_at: codec::get_time(row, 3)?,
            };
            let at: Option<i64> = row.get(5)?;
            Ok(ConversationState {
                conversation,
                head: ServerSequence::new(codec::get_number(row, 4)?),
                last_activity: at.map(codec::time_from_i64),
                counts: gate::get_counts(row, 6)?,
            })
        })
}

/// A conversation with its newest message, which may be in a run.
pub(super) fn state(connection: &Database, runs: &Runs, conversation_ref: i64) -> Result<ConversationState> {
    let mut state = merged_state(connection, conversation_ref)?;
    if let Some(newest) = newest_message(connection, runs, conversation_ref)? {
        (state.head, state.last_activity, state.counts) = (newest.seq, Some(newest.at), newest.counts);
    }
    Ok(state)
}
