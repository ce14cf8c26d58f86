//! Reading pages of an inbox, the head of an inbox (the number of its newest entry), the depth of
//! an inbox (the number of entries pending for a device), and a user's devices.

use std::sync::Arc;

use dm_core::store::{DeviceState, Event, InboxEntry, InboxPage, InboxQuery, InboxSeq, Notice, OwnEntries};
use tokio_postgres::Row;

use crate::codec::{self, MESSAGE_COLUMN_COUNT, MESSAGE_COLUMNS};
use crate::error::Fault;

/// The maximum number of inbox entries that the statement examines for one page, so that one read
/// never examines a whole inbox. Entries that a device caused or acknowledged are examined and
/// skipped. If the limit ends a page, the page has fewer entries than requested, and the caller
/// requests the next page after [`InboxPage::through`].
const MAX_EXAMINED: u64 = 4_096;

/// The highest entry number to which [`MAX_EXAMINED`] can be added without an overflow of `bigint`.
const MAX_START: u64 = i64::MAX.cast_unsigned() - MAX_EXAMINED;

/// The statement for a page of entries. Its rows are:
/// - one row for each entry;
/// - for an empty page, one row without an entry;
/// - no row for a user who has no row in `users`.
///
/// The parameters are the user, the device, the [`excluded_origin`], the number after which the
/// page begins, the maximum number of rows, the size of the page in bytes, and whether only
/// received messages are requested.
///
/// If more entries follow the page, the last row is the first of these, so the server sends at most
/// one entry more than the page holds. The second entry is always sent, even if the first one alone
/// fills the page, because it shows where the page ends. The column `cost` is the entry's
/// [`cost`](InboxEntry::cost): the length of the payload plus 248 for a message; for a notice its
/// length plus 128, at least 256.
pub(crate) fn statement() -> String {
    format!(
        "SELECT {MESSAGE_COLUMNS}, e.seq, e.at, e.notice, e.origin, e.addressee,
                u.inbox_head, u.inbox_floor, u.floor_proof
         FROM users u
         LEFT JOIN LATERAL (
             SELECT f.*, sum(f.cost) OVER w - f.cost AS before, row_number() OVER w AS place
             FROM (
                 SELECT i.*, coalesce(octet_length(p.payload) + 248,
                                      greatest(octet_length(i.notice) + 128, 256)) AS cost
                 FROM inbox i
                 LEFT JOIN messages p ON p.conversation = i.conversation AND p.seq = i.message_seq
                 WHERE i.user_id = u.id AND i.seq > greatest($4::bigint, u.inbox_floor)
                   AND i.seq <= least(greatest($4::bigint, u.inbox_floor), {MAX_START}) + {MAX_EXAMINED}
                   AND ($3::text IS NULL OR i.origin IS DISTINCT FROM $3)
                   AND (NOT $7::bool OR (i.origin IS NULL AND i.message_seq IS NOT NULL))
                   AND (i.addressee IS NULL OR i.addressee = (SELECT d.number FROM devices d
                                                              WHERE d.user_id = u.id AND d.device = $2))
                   AND NOT EXISTS (SELECT FROM acked k
                                   WHERE k.user_id = u.id AND k.device = $2 AND k.seq = i.seq)
                 ORDER BY i.seq LIMIT $5
             ) f WINDOW w AS (ORDER BY f.seq ROWS UNBOUNDED PRECEDING)
         ) e ON e.before <= $6::bigint OR e.place <= 2
         LEFT JOIN messages m ON m.conversation = e.conversation AND m.seq = e.message_seq
         WHERE u.id = $1 ORDER BY e.seq"
    )
}

/// Reads one head for each user of the array, in the order of the array; zero for a user without a
/// row. The statement has a subquery instead of a join, because for a join the planner might read
/// all users.
pub(crate) const INBOX_HEADS: &str = "SELECT coalesce(
        (SELECT u.inbox_head FROM users u WHERE u.id = asked.id), 0
    ) FROM unnest($1::bytea[]) WITH ORDINALITY AS asked(id, place) ORDER BY asked.place";

/// Reads a user's devices, in the order in which they were registered.
pub(crate) const DEVICES: &str = "SELECT d.device, d.cursor, d.registered_at, d.number FROM devices d WHERE d.user_id = $1 ORDER BY d.number";

/// Counts the messages and the notices that are pending for a device. Entries that the device
/// caused, and those that are for another registration, are never pending.
pub(crate) const DEPTH: &str = "SELECT count(i.message_seq), count(i.notice)
    FROM users u
    LEFT JOIN devices d ON d.user_id = u.id AND d.device = $2
    JOIN inbox i ON i.user_id = u.id AND i.seq > greatest(u.inbox_floor, d.cursor)
    WHERE u.id = $1 AND i.origin IS DISTINCT FROM $3 AND (i.addressee IS NULL OR i.addressee = d.number)
      AND NOT EXISTS (SELECT FROM acked k WHERE k.user_id = u.id AND k.device = $2 AND k.seq = i.seq)";

/// The device whose own entries the page leaves out, in the form of the column `origin`. `None` if
/// the page includes own entries, and also for [`OwnEntries::ReceivedOnly`], for which the
/// statement has a condition of its own.
pub(super) fn excluded_origin(query: &InboxQuery) -> Option<&str> {
    match query.own {
        OwnEntries::Skip => codec::origin(Some(&query.who.device)),
        OwnEntries::Include | OwnEntries::ReceivedOnly => None,
    }
}

/// The page, from the rows of [`statement`]; empty, with all numbers zero, if there are no rows.
pub(super) fn page(query: &InboxQuery, rows: &[Row]) -> Result<InboxPage, Fault> {
    let zero = InboxSeq::ZERO;
    let mut page =
        InboxPage { entries: Vec::new(), through: zero, head: zero, floor: zero, floor_proof: None };
    let Some(first) = rows.first() else { return Ok(page) };
    page.head = codec::get_seq(first, MESSAGE_COLUMN_COUNT + 5)?;
    page.floor = codec::get_seq(first, MESSAGE_COLUMN_COUNT + 6)?;
    page.floor_proof = codec::get_proof(first, MESSAGE_COLUMN_COUNT + 7)?;
    let last_examined = query.after.max(page.floor).get().saturating_add(MAX_EXAMINED);
    page.through = page.head.min(InboxSeq::new(last_examined));
    let mut bytes = 0_usize;
    for row in rows {
        if row.try_get::<_, Option<i64>>(MESSAGE_COLUMN_COUNT)?.is_none() {
            break;
        }
        let entry = entry(row)?;
        bytes = bytes.saturating_add(entry.cost());
        if let Some(last) = page.entries.last()
            && (page.entries.len() == query.limit || bytes > query.max_bytes)
        {
            page.through = last.seq;
            break;
        }
        page.entries.push(entry);
    }
    Ok(page)
}

/// An entry, from a row of [`statement`].
fn entry(row: &Row) -> Result<InboxEntry, Fault> {
    let event = match row.try_get::<_, Option<&[u8]>>(MESSAGE_COLUMN_COUNT + 2)? {
        None => Event::Message(Arc::new(codec::message(row, 0)?)),
        Some(notice) => {
            Event::Notice(Notice::decode(notice).map_err(|_| Fault::Corrupt("a notice cannot be decoded"))?)
        }
    };
    Ok(InboxEntry {
        seq: codec::get_seq(row, MESSAGE_COLUMN_COUNT)?,
        at: codec::get_time(row, MESSAGE_COLUMN_COUNT + 1)?,
        origin: codec::get_origin(row, MESSAGE_COLUMN_COUNT + 3)?,
        addressee: codec::get_addressee(row, MESSAGE_COLUMN_COUNT + 4)?,
        event,
    })
}

/// A device, from a row of [`DEVICES`].
pub(super) fn device(row: &Row) -> Result<DeviceState, Fault> {
    Ok(DeviceState {
        device: codec::get_device(row, 0)?,
        cursor: codec::get_seq(row, 1)?,
        registered_at: codec::get_time(row, 2)?,
        registration: codec::get_registration(row, 3)?,
    })
}
