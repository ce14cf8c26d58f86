//! [`Reader`], the reads of the store. Each call is one statement, so it reads from one snapshot.

mod conversations;
mod history;
mod inbox;
mod lease;
mod records;

use dm_core::store::{
    ConversationId, ConversationOrder, ConversationState, ConversationsQuery, Depth, DeviceState,
    HistoryPage, HistoryQuery, InboxPage, InboxQuery, InboxSeq, ListedConversation, OwnEntries, Owner,
    Principal, Record, RecordKey, Scan, ScanPage, ScanQuery, UserId,
};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::codec;
use crate::connection::Connections;
use crate::error::Fault;

use conversations::{CONVERSATION, active_statement, opened_statement};
use history::statement as history_statement;
use inbox::{DEPTH, DEVICES, INBOX_HEADS, statement as inbox_statement};
use lease::read_rows;

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

    pub(crate) async fn records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>, Fault> {
        let owners: Vec<_> = keys.iter().map(|key| codec::owner(key.owner)).collect();
        let kinds: Vec<_> = keys.iter().map(|key| codec::kind(key.kind)).collect();
        let names: Vec<_> = keys.iter().map(|key| key.name.as_bytes()).collect();
        let rows = self.rows(&records::keys_statement(), &[&owners, &kinds, &names]).await?;
        records::by_keys(keys.len(), &rows)
    }

    pub(crate) async fn scan(&self, query: &ScanQuery) -> Result<ScanPage, Fault> {
        // One row more than the page, because it shows whether there are more records.
        let max_rows = codec::usize_to_i64(query.limit.max(1).saturating_add(1));
        let max_bytes = codec::usize_to_i64(query.max_bytes);
        match &query.scan {
            Scan::Under { prefix, after } => {
                let (low, high) = codec::name_bounds(prefix, after.as_ref());
                let (owner, kind) = (codec::owner(prefix.owner), codec::kind(prefix.kind));
                let params: &[&(dyn ToSql + Sync)] = &[&max_rows, &max_bytes, &owner, &kind, &low, &high];
                records::page(query, &self.rows(&records::under_statement(), params).await?)
            }
            Scan::Since { user, revision } => {
                let owner = codec::owner(Owner::User(*user));
                let revision = codec::u64_to_i64(revision.get());
                let user = user.as_bytes().as_slice();
                let params: &[&(dyn ToSql + Sync)] = &[&max_rows, &max_bytes, &owner, &revision, &user];
                records::page_since(query, &self.rows(&records::since_statement(), params).await?)
            }
            Scan::Due { kind, until, after } => {
                let (kind, until) = (codec::kind(*kind), codec::time_to_i64(*until));
                // No owner is empty, so the first page begins before all records.
                let (due, owner, name) = match after {
                    Some((due, key)) => {
                        (codec::time_to_i64(*due), codec::owner(key.owner), key.name.as_bytes())
                    }
                    None => (i64::MIN, Vec::new(), &[][..]),
                };
                let params: &[&(dyn ToSql + Sync)] =
                    &[&max_rows, &max_bytes, &kind, &until, &due, &owner, &name];
                records::page(query, &self.rows(&records::due_statement(), params).await?)
            }
            _ => Err(Fault::Unsupported("a scan of a kind that this store does not know")),
        }
    }

    pub(crate) async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, Fault> {
        let rows = self.rows(CONVERSATION, &[&codec::uuid(id.as_bytes())]).await?;
        rows.first().map(conversations::state).transpose()
    }

    pub(crate) async fn conversations(
        &self,
        query: &ConversationsQuery,
    ) -> Result<Vec<ListedConversation>, Fault> {
        let user = query.user.as_bytes().as_slice();
        let (limit, owner) = (codec::usize_to_i64(query.limit), codec::owner(Owner::User(query.user)));
        let kinds = query.kinds.iter().take(ConversationsQuery::MAX_KINDS);
        let kinds: Vec<_> = kinds.map(|kind| codec::kind(*kind)).collect();
        let id = |id: ConversationId| codec::uuid(id.as_bytes());
        let rows = match query.order {
            ConversationOrder::Active { after } => {
                let after_at = after.and_then(|after| after.last_activity).map(codec::time_to_i64);
                let after = after.map(|after| id(after.id));
                let params: &[&(dyn ToSql + Sync)] = &[&user, &after, &limit, &owner, &kinds, &after_at];
                self.rows(&active_statement(), params).await?
            }
            ConversationOrder::Opened { after } => {
                let params: &[&(dyn ToSql + Sync)] = &[&user, &after.map(id), &limit, &owner, &kinds];
                self.rows(&opened_statement(), params).await?
            }
        };
        conversations::page(&rows)
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
    let fixed = [CONVERSATION, INBOX_HEADS, DEVICES, DEPTH].map(str::to_owned);
    let made = [
        active_statement(),
        opened_statement(),
        history_statement(true),
        history_statement(false),
        inbox_statement(),
        records::keys_statement(),
        records::under_statement(),
        records::since_statement(),
        records::due_statement(),
    ];
    fixed.into_iter().chain(made).collect()
}
