//! Reading records by their keys, and pages of records.

use dm_core::store::{Record, Revision, Revisions, ScanPage, ScanQuery};
use tokio_postgres::Row;

use crate::codec::{self, RECORD_COLUMNS};
use crate::error::Fault;

/// The number of columns in [`RECORD_COLUMNS`].
const COLUMN_COUNT: usize = 7;

/// The statement that reads records by their keys. The last column is the index of the record's key
/// in the arrays, from 1.
pub(crate) fn keys_statement() -> String {
    format!(
        "SELECT {RECORD_COLUMNS}, n.place
         FROM unnest($1::bytea[], $2::integer[], $3::bytea[]) WITH ORDINALITY AS n(owner, kind, name, place)
         JOIN records r ON r.owner = n.owner AND r.kind = n.kind AND r.name = n.name"
    )
}

/// The statement for a page of records under a prefix. The parameters are the maximum number of
/// rows, the size of the page in bytes, the owner, the kind, and the inclusive lower and the
/// exclusive upper bound of names.
pub(crate) fn under_statement() -> String {
    let page = page_of("r.owner = $3 AND r.kind = $4 AND r.name >= $5 AND r.name < $6", "name");
    format!(
        "SELECT {RECORD_COLUMNS} FROM ({page}) r WHERE r.before <= $2::bigint OR r.place <= 2 ORDER BY r.name"
    )
}

/// The statement for a page of a user's synced records since a revision. The parameters are the
/// maximum number of rows, the size of the page in bytes, the user as an owner, the revision, and the
/// user. The last two columns are the user's revisions. For an empty page there is one row without a
/// record; for a user who has no row in `users` there is no row.
pub(crate) fn since_statement() -> String {
    let page = page_of("r.owner = $3 AND r.revision > $4 AND r.revision > 0", "revision");
    format!(
        "SELECT {RECORD_COLUMNS}, u.revision_head, u.revision_floor
         FROM users u LEFT JOIN LATERAL ({page}) r ON r.before <= $2::bigint OR r.place <= 2
         WHERE u.id = $5 ORDER BY r.revision"
    )
}

/// The statement for a page of the due records of a kind. The parameters are the maximum number of
/// rows, the size of the page in bytes, the kind, the last due time of the page, and the due time,
/// the owner and the name after which the page begins.
pub(crate) fn due_statement() -> String {
    let page = page_of(
        "r.kind = $3 AND r.due <= $4 AND r.due IS NOT NULL AND (r.due, r.owner, r.name) > ($5, $6, $7)",
        "due, owner, name",
    );
    format!(
        "SELECT {RECORD_COLUMNS} FROM ({page}) r WHERE r.before <= $2::bigint OR r.place <= 2
         ORDER BY r.due, r.owner, r.name"
    )
}

/// The records of a page, in an order, each with its place and the bytes of those before it. The
/// column `cost` is the record's [`cost`](Record::cost): the length of the value plus 192.
///
/// If more records follow the page, the last row is the first of these, so the server sends at most
/// one record more than the page holds. The second record is always sent, even if the first one
/// alone fills the page, because it shows that there are more records.
fn page_of(condition: &str, order: &str) -> String {
    let columns = order.split(", ").map(|column| format!("r.{column}")).collect::<Vec<_>>().join(", ");
    format!(
        "SELECT f.*, sum(f.cost) OVER w - f.cost AS before, row_number() OVER w AS place
         FROM (
             SELECT r.*, octet_length(r.value) + 192 AS cost FROM records r
             WHERE {condition} ORDER BY {columns} LIMIT $1
         ) f WINDOW w AS (ORDER BY {order} ROWS UNBOUNDED PRECEDING)"
    )
}

/// The records with some keys, from the rows of [`keys_statement`]: as many items as there are keys.
pub(super) fn by_keys(keys: usize, rows: &[Row]) -> Result<Vec<Option<Record>>, Fault> {
    let mut records = vec![None; keys];
    for row in rows {
        let place: i64 = row.try_get(COLUMN_COUNT)?;
        if let Some(slot) = usize::try_from(place - 1).ok().and_then(|index| records.get_mut(index)) {
            *slot = Some(codec::get_record(row, 0)?);
        }
    }
    Ok(records)
}

/// A page of records.
pub(super) fn page(query: &ScanQuery, rows: &[Row]) -> Result<ScanPage, Fault> {
    ScanPage::collect(query, rows.iter().map(|row| codec::get_record(row, 0)))
}

/// A page of a user's records and the user's revisions, from the rows of [`since_statement`].
pub(super) fn page_since(query: &ScanQuery, rows: &[Row]) -> Result<ScanPage, Fault> {
    let Some(first) = rows.first() else { return Ok(ScanPage::default()) };
    let revisions = Revisions {
        head: Revision::new(codec::get_number(first, COLUMN_COUNT)?),
        floor: Revision::new(codec::get_number(first, COLUMN_COUNT + 1)?),
    };
    let rows = if first.try_get::<_, Option<&[u8]>>(0)?.is_some() { rows } else { &[] };
    Ok(ScanPage { revisions, ..page(query, rows)? })
}
