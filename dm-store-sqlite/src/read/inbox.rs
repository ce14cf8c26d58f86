//! Pages of an inbox, and the devices that read it.

use std::ops::ControlFlow;
use std::sync::Arc;

use dm_core::{
    Depth, DeviceState, Event, InboxEntry, InboxPage, InboxQuery, InboxSeq, Notice, OwnEntries, Principal,
    UserId,
};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::codec::{self, MESSAGE};
use crate::heads::newest_entry;
use crate::runs::{Layout, walk};

/// Entries looked at for one page. A device whose own entries or acknowledged ones fill more than this gets a short
/// page and asks again, so that one read never walks a whole inbox.
const EXAMINED: usize = 4_096;

pub(super) fn inbox(connection: &Connection, query: &InboxQuery) -> Result<InboxPage> {
    let none = InboxSeq::ZERO;
    let mut page = InboxPage { entries: Vec::new(), through: none, head: none, floor: none };
    let layout = Layout::read(connection)?;
    let Some(user_ref) = extent(connection, &layout, query.who.user, &mut page)? else { return Ok(page) };
    page.through = page.head;

    let statement = "SELECT r.seq, r.at, r.message, r.notice, r.origin,
                            EXISTS (SELECT 1 FROM dm_devices d JOIN dm_acked k ON k.device = d.ref
                                    WHERE d.user = +?2 AND d.device = +?4 AND k.seq = r.seq)
                     FROM {rows} r WHERE {run} AND r.user = +?2 AND r.seq > ?3 ORDER BY r.seq LIMIT ?5";
    let after = codec::bound(query.after.max(page.floor).get());
    let device = query.who.device.as_str();
    let (mut bytes, mut examined) = (0_usize, 0);
    walk(
        connection,
        layout.inbox_of(user_ref, after),
        |part| part.of_inbox(statement),
        |part| (part.number(), user_ref, part.above, device, codec::count(EXAMINED)),
        |row| {
            examined += 1;
            let seq = codec::get_seq(row, 0)?;
            if examined == EXAMINED {
                page.through = seq;
            }
            if let Some(entry) = to_deliver(connection, query, row, seq)? {
                bytes = bytes.saturating_add(entry.cost());
                if let Some(last) = page.entries.last()
                    && (page.entries.len() == query.limit || bytes > query.max_bytes)
                {
                    page.through = last.seq;
                    return Ok(ControlFlow::Break(()));
                }
                page.entries.push(entry);
            }
            Ok(if examined == EXAMINED { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        },
    )?;
    Ok(page)
}

/// The row's entry, unless the device has no need of it.
fn to_deliver(
    connection: &Connection,
    query: &InboxQuery,
    row: &Row<'_>,
    seq: InboxSeq,
) -> Result<Option<InboxEntry>> {
    let origin = codec::get_origin(row, 4)?;
    let own = query.own == OwnEntries::Skip && origin.as_ref() == Some(&query.who.device);
    if own || row.get(5)? {
        return Ok(None);
    }
    Ok(Some(InboxEntry { seq, at: codec::get_time(row, 1)?, origin, event: event(connection, row)? }))
}

/// The user's row, with the inbox's newest number and the newest expired one filled in.
fn extent(
    connection: &Connection,
    layout: &Layout,
    user: UserId,
    page: &mut InboxPage,
) -> Result<Option<i64>> {
    let found: Option<(i64, i64)> = connection
        .prepare_cached("SELECT ref, inbox_floor FROM dm_users WHERE pubkey = ?1")?
        .query_row([user.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((user_ref, floor)) = found else { return Ok(None) };
    let newest = newest_entry(connection, layout, user_ref, floor)?.unwrap_or(floor);
    page.floor = InboxSeq::new(floor.cast_unsigned());
    page.head = InboxSeq::new(newest.cast_unsigned());
    Ok(Some(user_ref))
}

/// What the row's entry is about.
fn event(connection: &Connection, row: &Row<'_>) -> Result<Event> {
    let message: Option<i64> = row.get(2)?;
    match message {
        Some(message) => connection
            .prepare_cached(&format!(
                "SELECT {MESSAGE} FROM dm_messages m
                 JOIN dm_conversations c ON c.ref = m.conversation JOIN dm_users u ON u.ref = m.sender
                 WHERE m.ref = +?1"
            ))?
            .query_row([message], |row| codec::message(row, 0))
            .map(|message| Event::Message(Arc::new(message))),
        None => Notice::decode(row.get_ref(3)?.as_blob()?)
            .map(Event::Notice)
            .map_err(|_| codec::damaged(3, Type::Blob, "no notice of this version")),
    }
}

pub(super) fn devices(connection: &Connection, user: UserId) -> Result<Vec<DeviceState>> {
    connection
        .prepare_cached(
            "SELECT d.device, d.cursor, d.registered_at FROM dm_users u JOIN dm_devices d ON d.user = u.ref
             WHERE u.pubkey = +?1 ORDER BY d.ref",
        )?
        .query_map([user.as_bytes()], |row| {
            Ok(DeviceState {
                device: codec::get_device(row, 0)?,
                cursor: codec::get_seq(row, 1)?,
                registered_at: codec::get_time(row, 2)?,
            })
        })?
        .collect()
}

pub(super) fn depth(connection: &Connection, who: &Principal) -> Result<Depth> {
    let mut depth = Depth { messages: 0, notices: 0 };
    let user: Option<(i64, i64, Option<i64>, Option<i64>)> = connection
        .prepare_cached(
            "SELECT u.ref, u.inbox_floor, d.ref, d.cursor
             FROM dm_users u LEFT JOIN dm_devices d ON d.user = u.ref AND d.device = +?2 WHERE u.pubkey = +?1",
        )?
        .query_row(params![who.user.as_bytes(), who.device.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((user_ref, floor, device_ref, cursor)) = user else { return Ok(depth) };
    let statement = "SELECT count(r.message), count(*) - count(r.message) FROM {rows} r
                     WHERE {run} AND r.user = +?2 AND r.seq > +?3 AND r.origin IS NOT ?4
                       AND NOT EXISTS (SELECT 1 FROM dm_acked k WHERE k.device = +?5 AND k.seq = r.seq)";
    let origin = codec::origin(Some(&who.device));
    walk(
        connection,
        Layout::read(connection)?.inbox_of(user_ref, floor.max(cursor.unwrap_or(0))),
        |part| part.of_inbox(statement),
        |part| (part.number(), user_ref, part.above, origin, device_ref),
        |row| {
            depth.messages += codec::get_number(row, 0)?;
            depth.notices += codec::get_number(row, 1)?;
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(depth)
}
