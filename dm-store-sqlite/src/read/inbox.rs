//! Reads pages of an inbox, the newest numbers of inboxes, the devices of a user, and the number of
//! entries pending for a device. The newest entries are in runs, which are small groups of rows
//! that are not merged into the main tables yet ([`recent`](crate::recent)).
//!
//! For the plus signs in statements, see
//! [`CACHED_STATEMENTS`](crate::connection::CACHED_STATEMENTS).

use std::ops::ControlFlow;
use std::sync::Arc;

use dm_core::store::{
    CursorProof, Depth, DeviceState, Event, InboxEntry, InboxPage, InboxQuery, InboxSeq, Notice, OwnEntries,
    Principal, Registration, UserId,
};
use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Result, Row, params};

use crate::codec::{self, MESSAGE_COLUMNS};
use crate::database::Database;
use crate::recent::read::{for_each_row, newest_entry};
use crate::recent::runs::Runs;

/// The maximum number of entries that the read of one page examines, so that one read never
/// examines a whole inbox. Entries that the device caused or acknowledged are examined and skipped.
/// If the limit ends a page, the page has fewer entries than requested, and the caller requests the
/// next page after [`InboxPage::through`].
const MAX_EXAMINED: i64 = 4_096;

/// The user and the device that ask for a page.
#[derive(Clone, Copy)]
struct ReaderRefs {
    /// The `ref` of the user.
    user: i64,
    /// The `ref` of the device; `None` if it is not registered.
    device: Option<i64>,
    /// The number of the device's registration.
    registration: Option<i64>,
}

/// A page of an inbox: the entries after `query.after` that the device has not acknowledged
/// individually and that `query.own` does not exclude. The page is empty if the user has no row.
pub(super) fn inbox(connection: &Database, query: &InboxQuery) -> Result<InboxPage> {
    let zero = InboxSeq::ZERO;
    let mut page =
        InboxPage { entries: Vec::new(), through: zero, head: zero, floor: zero, floor_proof: None };
    let runs = Runs::read(connection)?;
    let Some(reader) = find_reader(connection, &runs, &query.who, &mut page)? else { return Ok(page) };
    let after = codec::u64_to_i64(query.after.max(page.floor).get());
    let until = after.saturating_add(MAX_EXAMINED);
    page.through = page.head.min(InboxSeq::new(until.cast_unsigned()));

    // The statement excludes entries that are not shown, so that they are not decoded. Its
    // parameter `?5` is `skipped_origin`, which is NULL unless own entries are skipped.
    let shown = match query.own {
        OwnEntries::Skip | OwnEntries::Include => "(+?5 IS NULL OR r.origin IS NOT +?5)",
        OwnEntries::ReceivedOnly => "r.origin IS +?5 AND r.message IS NOT NULL",
    };
    let statement = format!(
        "SELECT r.seq, r.at, r.message, r.notice, r.origin, r.addressee
         FROM {{table}} r
         WHERE {{run_condition}} AND r.user = +?2 AND r.seq > +?3 AND r.seq <= +?4 AND {shown}
           AND (r.addressee IS NULL OR r.addressee = +?7)
           AND NOT EXISTS (SELECT 1 FROM dm_acked k WHERE k.device = +?6 AND k.seq = r.seq)
         ORDER BY r.seq"
    );
    let skipped_origin = match query.own {
        OwnEntries::Skip => codec::origin(Some(&query.who.device)),
        OwnEntries::Include | OwnEntries::ReceivedOnly => None,
    };
    let mut bytes = 0_usize;
    for_each_row(
        connection,
        runs.inbox_sources(reader.user, after),
        |source| source.inbox_sql(&statement),
        |source| {
            let ReaderRefs { user, device, registration } = reader;
            (source.run_number(), user, source.after, until, skipped_origin, device, registration)
        },
        |row| {
            let entry = entry(connection, row)?;
            bytes = bytes.saturating_add(entry.cost());
            if let Some(last) = page.entries.last()
                && (page.entries.len() == query.limit || bytes > query.max_bytes)
            {
                page.through = last.seq;
                return Ok(ControlFlow::Break(()));
            }
            page.entries.push(entry);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(page)
}

/// An entry, from the columns `seq, at, message, notice, origin, addressee`.
fn entry(connection: &Database, row: &Row<'_>) -> Result<InboxEntry> {
    Ok(InboxEntry {
        seq: codec::get_seq(row, 0)?,
        at: codec::get_time(row, 1)?,
        origin: codec::get_origin(row, 4)?,
        addressee: codec::get_registration(row, 5)?,
        event: event(connection, row)?,
    })
}

/// Finds the user and the device, and sets the page's `head`, `floor` and `floor_proof`. `None` if
/// the user is not known.
fn find_reader(
    connection: &Database,
    runs: &Runs,
    who: &Principal,
    page: &mut InboxPage,
) -> Result<Option<ReaderRefs>> {
    let found = connection
        .prepare_cached(
            "SELECT u.ref, u.inbox_floor, u.inbox_head, u.floor_proof, d.ref, d.registration
             FROM dm_users u LEFT JOIN dm_devices d ON d.user = u.ref AND d.device = +?2 WHERE u.pubkey = +?1",
        )?
        .query_row(params![who.user.as_bytes(), who.device.as_str()], |row| {
            let reader = ReaderRefs { user: row.get(0)?, device: row.get(4)?, registration: row.get(5)? };
            let (floor, merged_head): (i64, i64) = (row.get(1)?, row.get(2)?);
            let proof: Option<i64> = row.get(3)?;
            Ok((reader, floor, merged_head, proof))
        })
        .optional()?;
    let Some((reader, floor, merged_head, proof)) = found else { return Ok(None) };
    page.floor = InboxSeq::new(floor.cast_unsigned());
    page.floor_proof = proof.map(|proof| CursorProof::from_stored(proof.cast_unsigned()));
    page.head = newest_number(connection, runs, (reader.user, floor, merged_head))?;
    Ok(Some(reader))
}

/// The message or the notice of an entry, from the columns of [`entry`].
fn event(connection: &Database, row: &Row<'_>) -> Result<Event> {
    let message: Option<i64> = row.get(2)?;
    match message {
        Some(message) => connection
            .prepare_cached(&format!(
                "SELECT {MESSAGE_COLUMNS} FROM dm_messages m
                 JOIN dm_conversations c ON c.ref = m.conversation JOIN dm_users u ON u.ref = m.sender
                 WHERE m.ref = +?1"
            ))?
            .query_row([message], |row| codec::message(row, 0))
            .map(|message| Event::Message(Arc::new(message))),
        None => Notice::decode(row.get_ref(3)?.as_blob()?)
            .map(Event::Notice)
            .map_err(|_| codec::damaged(3, Type::Blob, "not a notice of this version")),
    }
}

/// The newest number of each user's inbox, in the order of `users`; zero for an unknown user.
pub(super) fn inbox_heads(connection: &Database, users: &[UserId]) -> Result<Vec<InboxSeq>> {
    let runs = Runs::read(connection)?;
    let mut select = connection
        .prepare_cached("SELECT u.ref, u.inbox_floor, u.inbox_head FROM dm_users u WHERE u.pubkey = +?1")?;
    let mut head = |user: &UserId| {
        let found: Option<(i64, i64, i64)> = select
            .query_row([user.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        found.map_or(Ok(InboxSeq::ZERO), |found| newest_number(connection, &runs, found))
    };
    users.iter().map(&mut head).collect()
}

/// The newest number of an inbox. The last argument is the user's `ref`, the number of the newest
/// expired entry, and the number of the newest entry in the main table.
fn newest_number(
    connection: &Database,
    runs: &Runs,
    (user, floor, merged_head): (i64, i64, i64),
) -> Result<InboxSeq> {
    let newest = newest_entry(connection, runs, user)?.unwrap_or(merged_head);
    Ok(InboxSeq::new(newest.max(floor).cast_unsigned()))
}

/// The devices of a user, in the order in which they were registered.
pub(super) fn devices(connection: &Database, user: UserId) -> Result<Vec<DeviceState>> {
    connection
        .prepare_cached(
            "SELECT d.device, d.cursor, d.registered_at, d.registration
             FROM dm_users u JOIN dm_devices d ON d.user = u.ref WHERE u.pubkey = +?1 ORDER BY d.registration",
        )?
        .query_map([user.as_bytes()], |row| {
            Ok(DeviceState {
                device: codec::get_device(row, 0)?,
                cursor: codec::get_seq(row, 1)?,
                registered_at: codec::get_time(row, 2)?,
                registration: Registration::new(codec::get_number(row, 3)?),
            })
        })?
        .collect()
}

/// The counts of messages and of notices in an inbox that a device neither caused nor acknowledged.
/// For a device that is not registered, all entries that it has not caused are counted. Entries for
/// other registrations are not counted.
pub(super) fn depth(connection: &Database, who: &Principal) -> Result<Depth> {
    let mut depth = Depth::default();
    let user = connection
        .prepare_cached(
            "SELECT u.ref, u.inbox_floor, d.cursor, d.ref, d.registration
             FROM dm_users u LEFT JOIN dm_devices d ON d.user = u.ref AND d.device = +?2 WHERE u.pubkey = +?1",
        )?
        .query_row(params![who.user.as_bytes(), who.device.as_str()], |row| {
            let reader = ReaderRefs { user: row.get(0)?, device: row.get(3)?, registration: row.get(4)? };
            let (floor, cursor): (i64, Option<i64>) = (row.get(1)?, row.get(2)?);
            Ok((reader, floor.max(cursor.unwrap_or(0))))
        })
        .optional()?;
    let Some((ReaderRefs { user, device, registration }, after)) = user else { return Ok(depth) };
    let statement = "SELECT count(r.message), count(*) - count(r.message) FROM {table} r
                     WHERE {run_condition} AND r.user = +?2 AND r.seq > +?3 AND r.origin IS NOT +?4
                       AND (r.addressee IS NULL OR r.addressee = +?6)
                       AND NOT EXISTS (SELECT 1 FROM dm_acked k WHERE k.device = +?5 AND k.seq = r.seq)";
    let origin = codec::origin(Some(&who.device));
    for_each_row(
        connection,
        Runs::read(connection)?.inbox_sources(user, after),
        |source| source.inbox_sql(statement),
        |source| (source.run_number(), user, source.after, origin, device, registration),
        |row| {
            depth.messages += codec::get_number(row, 0)?;
            depth.notices += codec::get_number(row, 1)?;
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(depth)
}
