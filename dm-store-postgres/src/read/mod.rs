//! [`Reader`], the reads of the store. Each call is one statement, so it reads from one snapshot.

mod conversations;
mod history;
mod inbox;
mod lease;

use dm_core::store::{
    ConversationId, ConversationState, ConversationsQuery, Depth, DeviceState, HistoryPage, HistoryQuery,
    InboxPage, InboxQuery, InboxSeq, KeyRecord, OwnEntries, Principal, UserId,
};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::codec;
use crate::connection::Connections;
use crate::error::Fault;

use conversations::{CONVERSATION, CONVERSATIONS};
use history::statement as history_statement;
use inbox::{DEPTH, DEVICES, INBOX_HEADS, statement as inbox_statement};
use lease::read_rows;

/// Reads a user's current key: one row, or none for a user who has no row.
const KEY: &str =
    "SELECT u.key_version, u.key, u.key_binding, u.key_published_at FROM users u WHERE u.id = $1";

/// Runs the reads, on connections that commits do not use. Every call is cancel safe, because it
/// uses no transaction. Clones share the connections.
#[derive(Clone)]
pub(crate) struct Reader {
    connections: Connections,
}

impl Reader {
    pub(crate) const fn new(connections: Connections) -> Self {
        Self { connections }
    }

    /// Runs one statement, which must only read, and returns its rows.
    pub(crate) async fn rows(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Fault> {
        read_rows(&self.connections, sql, params).await
    }

    pub(crate) async fn key(&self, user: UserId) -> Result<Option<KeyRecord>, Fault> {
        let rows = self.rows(KEY, &[&user.as_bytes().as_slice()]).await?;
        rows.first().map_or(Ok(None), |row| codec::key_record(user, row, 0))
    }

    pub(crate) async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, Fault> {
        let rows = self.rows(CONVERSATION, &[&codec::uuid(id.as_bytes())]).await?;
        rows.first().map(conversations::state).transpose()
    }

    pub(crate) async fn conversations(
        &self,
        query: &ConversationsQuery,
    ) -> Result<Vec<ConversationState>, Fault> {
        let after = query.after.map(|after| codec::uuid(after.id.as_bytes()));
        let after_at = query.after.and_then(|after| after.last_activity).map(codec::time_to_i64);
        let params: &[&(dyn ToSql + Sync)] =
            &[&query.user.as_bytes().as_slice(), &after, &after_at, &codec::usize_to_i64(query.limit)];
        self.rows(CONVERSATIONS, params).await?.iter().map(conversations::state).collect()
    }

    pub(crate) async fn history(&self, query: &HistoryQuery) -> Result<Option<HistoryPage>, Fault> {
        let (newest_first, above, below) = history::bounds(query.range);
        // One row more than the page, because it shows whether there are more messages.
        let params: &[&(dyn ToSql + Sync)] = &[
            &codec::uuid(query.conversation.as_bytes()),
            &query.reader.as_bytes().as_slice(),
            &above,
            &below,
            &codec::usize_to_i64(query.limit.max(1).saturating_add(1)),
            &codec::usize_to_i64(query.max_bytes),
        ];
        let rows = self.rows(&history_statement(newest_first), params).await?;
        history::page(query, &rows)
    }

    pub(crate) async fn inbox(&self, query: &InboxQuery) -> Result<InboxPage, Fault> {
        // One row more than the page, because it shows where the page ends.
        let params: &[&(dyn ToSql + Sync)] = &[
            &query.who.user.as_bytes().as_slice(),
            &query.who.device.as_str(),
            &inbox::excluded_origin(query),
            &codec::u64_to_i64(query.after.get()),
            &codec::usize_to_i64(query.limit.max(1).saturating_add(1)),
            &codec::usize_to_i64(query.max_bytes),
            &(query.own == OwnEntries::ReceivedOnly),
        ];
        let rows = self.rows(&inbox_statement(), params).await?;
        inbox::page(query, &rows)
    }

    pub(crate) async fn inbox_heads(&self, users: &[UserId]) -> Result<Vec<InboxSeq>, Fault> {
        let users: Vec<_> = users.iter().map(|user| user.as_bytes().as_slice()).collect();
        self.rows(INBOX_HEADS, &[&users]).await?.iter().map(|row| codec::get_seq(row, 0)).collect()
    }

    pub(crate) async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, Fault> {
        let rows = self.rows(DEVICES, &[&user.as_bytes().as_slice()]).await?;
        rows.iter().map(inbox::device).collect()
    }

    pub(crate) async fn depth(&self, who: &Principal) -> Result<Depth, Fault> {
        let params: &[&(dyn ToSql + Sync)] =
            &[&who.user.as_bytes().as_slice(), &who.device.as_str(), &codec::origin(Some(&who.device))];
        let rows = self.rows(DEPTH, params).await?;
        let Some(row) = rows.first() else { return Ok(Depth::default()) };
        Ok(Depth { messages: codec::get_number(row, 0)?, notices: codec::get_number(row, 1)? })
    }
}

/// The statements of all reads, for the test `query_plans`.
#[cfg(test)]
pub(crate) fn statements() -> Vec<String> {
    let fixed = [KEY, CONVERSATION, CONVERSATIONS, INBOX_HEADS, DEVICES, DEPTH].map(str::to_owned);
    fixed.into_iter().chain([history_statement(true), history_statement(false), inbox_statement()]).collect()
}
