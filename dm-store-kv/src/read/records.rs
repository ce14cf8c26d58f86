//! Reading records.

use dm_core::store::{
    ConversationId, ConversationsQuery, Name, Owner, Record, RecordKey, Revisions, Scan, ScanPage, ScanQuery,
};

use crate::failure::Failure;
use crate::rows::Rows;
use crate::tables::Tables;

/// A page of records. The page of a user who has never had a record is empty.
pub(super) fn scan(tables: &Tables<impl Rows>, query: &ScanQuery) -> Result<ScanPage, Failure> {
    match &query.scan {
        Scan::Under { prefix, after } => {
            ScanPage::collect(query, tables.records_under(prefix, after.as_ref())?)
        }
        Scan::Since { user, revision } => {
            let Some(user_ref) = tables.user_ref(*user)? else { return Ok(ScanPage::default()) };
            let revisions: Revisions = tables.user_revisions(user_ref)?;
            let records = tables.records_since((*user, user_ref), *revision)?;
            Ok(ScanPage { revisions, ..ScanPage::collect(query, records)? })
        }
        Scan::Due { kind, until, after } => {
            ScanPage::collect(query, tables.records_due(*kind, *until, after.as_ref())?)
        }
        _ => Err(Failure::Engine(dm_core::store::StoreError::new(
            dm_core::store::StoreErrorKind::Engine,
            "the store does not know this kind of scan",
        ))),
    }
}

/// The records about a conversation that a query for a list asks for.
pub(super) fn about(
    tables: &Tables<impl Rows>,
    query: &ConversationsQuery,
    id: ConversationId,
) -> Result<Vec<Record>, Failure> {
    let kinds = query.kinds.iter().take(ConversationsQuery::MAX_KINDS);
    kinds
        .filter_map(|kind| {
            tables.record(&RecordKey::new(Owner::User(query.user), *kind, Name::from(id))).transpose()
        })
        .collect()
}
