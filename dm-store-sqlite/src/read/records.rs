//! Reads records. The writer uses some of these reads as well.
//!
//! For the plus signs in statements, see
//! [`CACHED_STATEMENTS`](crate::connection::CACHED_STATEMENTS).

use std::ops::Bound;

use dm_core::store::{
    ConversationId, ConversationsQuery, Kind, Name, Owner, Prefix, Record, RecordKey, Revision, Revisions,
    Scan, ScanPage, ScanQuery, Timestamp, UserId,
};
use rusqlite::{OptionalExtension, Result, Rows, params};

use crate::codec::record::{OwnerBytes, RECORD_COLUMNS, due_to_i64, get_name, get_record};
use crate::codec::{get_number, u64_to_i64, usize_to_i64};
use crate::database::Database;

/// A record; `None` if there is none with this key.
pub(crate) fn record(connection: &Database, key: &RecordKey) -> Result<Option<Record>> {
    connection
        .prepare_cached(&format!(
            "SELECT {RECORD_COLUMNS} FROM dm_records r WHERE r.owner = +?1 AND r.kind = +?2 AND r.name = +?3"
        ))?
        .query_row(
            params![OwnerBytes::new(key.owner).as_slice(), key.kind.get(), key.name.as_bytes()],
            get_record,
        )
        .optional()
}

/// The names of the first `limit` records under a prefix, in order.
pub(crate) fn names(connection: &Database, under: &Prefix, limit: usize) -> Result<Vec<Name>> {
    let mut select = connection.prepare_cached(
        "SELECT r.name FROM dm_records r WHERE r.owner = +?1 AND r.kind = +?2 AND r.name >= +?3
         ORDER BY r.name LIMIT +?4",
    )?;
    let owner = OwnerBytes::new(under.owner);
    let names = select.query_map(
        params![owner.as_slice(), under.kind.get(), under.name.as_bytes(), usize_to_i64(limit)],
        |row| get_name(row, 0),
    )?;
    let is_under = |name: &Result<Name>| name.as_ref().map_or(true, |name| starts_with(name, &under.name));
    names.take_while(is_under).collect()
}

/// The revisions of a user; zero for an unknown user.
pub(crate) fn revisions(connection: &Database, user: UserId) -> Result<Revisions> {
    let found = connection
        .prepare_cached("SELECT revision, revision_floor FROM dm_users WHERE pubkey = ?1")?
        .query_row([user.as_bytes()], |row| {
            let (head, floor) = (Revision::new(get_number(row, 0)?), Revision::new(get_number(row, 1)?));
            Ok(Revisions { head, floor })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// A page of records.
pub(super) fn scan(connection: &Database, query: &ScanQuery) -> Result<ScanPage> {
    match &query.scan {
        Scan::Under { prefix, after } => under(connection, query, prefix, after.as_ref()),
        Scan::Since { user, revision } => since(connection, query, *user, *revision),
        Scan::Due { kind, until, after } => due(connection, query, (*kind, *until), after.as_ref()),
        // A kind of scan that this version of the store does not know.
        _ => Err(rusqlite::Error::InvalidQuery),
    }
}

/// A user's records of the kinds of a query that are about a conversation.
pub(super) fn records_about(
    connection: &Database,
    user: UserId,
    conversation: ConversationId,
    kinds: &[Kind],
) -> Result<Vec<Record>> {
    let record_of = |kind: &Kind| {
        record(connection, &RecordKey::new(Owner::User(user), *kind, conversation.into())).transpose()
    };
    kinds.iter().take(ConversationsQuery::MAX_KINDS).filter_map(record_of).collect()
}

/// The records under a prefix, in the order of their names.
fn under(
    connection: &Database,
    query: &ScanQuery,
    prefix: &Prefix,
    after: Option<&Name>,
) -> Result<ScanPage> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {RECORD_COLUMNS} FROM dm_records r WHERE r.owner = +?1 AND r.kind = +?2 AND r.name >= +?3
         ORDER BY r.name"
    ))?;
    let start = match Scan::start_under(prefix, after) {
        Bound::Included(key) => key.name.as_bytes().to_vec(),
        // The smallest name after this one.
        Bound::Excluded(key) => [key.name.as_bytes(), &[0]].concat(),
        Bound::Unbounded => Vec::new(),
    };
    let owner = OwnerBytes::new(prefix.owner);
    let rows = select.query(params![owner.as_slice(), prefix.kind.get(), start])?;
    page(query, rows, |record| starts_with(&record.key.name, &prefix.name))
}

/// A user's synced records that changed after a revision, in the order of their revisions.
fn since(connection: &Database, query: &ScanQuery, user: UserId, revision: Revision) -> Result<ScanPage> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {RECORD_COLUMNS} FROM dm_records r
         WHERE r.owner = +?1 AND r.revision > 0 AND r.revision > +?2 ORDER BY r.revision"
    ))?;
    let owner = OwnerBytes::new(Owner::User(user));
    let rows = select.query(params![owner.as_slice(), u64_to_i64(revision.get())])?;
    let page = page(query, rows, |_| true)?;
    Ok(ScanPage { revisions: revisions(connection, user)?, ..page })
}

/// The records of a kind that are due up to a time, in the order of due times and keys.
fn due(
    connection: &Database,
    query: &ScanQuery,
    (kind, until): (Kind, Timestamp),
    after: Option<&(Timestamp, RecordKey)>,
) -> Result<ScanPage> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {RECORD_COLUMNS} FROM dm_records r
         WHERE r.kind = +?1 AND r.due IS NOT NULL AND r.due <= +?2
           AND r.due >= +?3 AND (r.due, r.owner, r.name) > (+?3, +?4, +?5)
         ORDER BY r.due, r.owner, r.name"
    ))?;
    let (kind, until) = (kind.get(), due_to_i64(until));
    let rows = match after {
        Some((at, RecordKey { owner, kind: _, name })) => {
            let owner = OwnerBytes::new(*owner);
            select.query(params![kind, until, due_to_i64(*at), owner.as_slice(), name.as_bytes()])?
        }
        // No owner is empty, so this is before the first record.
        None => select.query(params![kind, until, i64::MIN, &[][..] as &[u8], &[][..] as &[u8]])?,
    };
    page(query, rows, |_| true)
}

/// A page of the first rows, up to the first one that is not `included`.
fn page(query: &ScanQuery, rows: Rows<'_>, included: impl Fn(&Record) -> bool) -> Result<ScanPage> {
    let records = rows.mapped(get_record);
    ScanPage::collect(query, records.take_while(|record| record.as_ref().map_or(true, &included)))
}

fn starts_with(name: &Name, prefix: &Name) -> bool {
    name.as_bytes().starts_with(prefix.as_bytes())
}
