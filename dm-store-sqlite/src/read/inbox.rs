//! Pages of an inbox, and the devices that read it.

use std::sync::Arc;

use dm_core::{
    Depth, DeviceState, Event, InboxEntry, InboxPage, InboxQuery, InboxSeq, Notice, OwnEntries, Principal,
    UserId,
};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::codec::{self, MESSAGE};

/// Entries looked at for one page. A device whose own entries or acknowledged ones fill more than this gets a short
/// page and asks again, so that one read never walks a whole inbox.
const EXAMINED: usize = 4_096;

pub(super) fn inbox(connection: &Connection, query: &InboxQuery) -> Result<InboxPage> {
    let none = InboxSeq::ZERO;
    let mut page = InboxPage { entries: Vec::new(), through: none, head: none, floor: none };
    let Some(user_ref) = extent(connection, query.who.user, &mut page)? else { return Ok(page) };
    page.through = page.head;

    let mut select = connection.prepare_cached(
        "SELECT i.seq, i.at, i.message, i.notice, i.origin,
                EXISTS (SELECT 1 FROM dm_devices d JOIN dm_acked k ON k.device = d.ref
                        WHERE d.user = +?1 AND d.device = +?3 AND k.seq = i.seq)
         FROM dm_inbox i WHERE i.user = +?1 AND i.seq > ?2 ORDER BY i.seq LIMIT ?4",
    )?;
    let after = codec::bound(query.after.get());
    let mut rows =
        select.query(params![user_ref, after, query.who.device.as_str(), codec::count(EXAMINED)])?;
    let (mut bytes, mut examined) = (0_usize, 0);
    while let Some(row) = rows.next()? {
        examined += 1;
        let seq = codec::get_seq(row, 0)?;
        if examined == EXAMINED {
            page.through = seq;
        }
        let origin = codec::get_origin(row, 4)?;
        let own = query.own == OwnEntries::Skip && origin.as_ref() == Some(&query.who.device);
        if own || row.get(5)? {
            continue;
        }
        if page.entries.len() == query.limit
            && let Some(last) = page.entries.last()
        {
            page.through = last.seq;
            break;
        }
        let entry = InboxEntry { seq, at: codec::get_time(row, 1)?, origin, event: event(connection, row)? };
        bytes = bytes.saturating_add(entry.cost());
        if bytes > query.max_bytes
            && let Some(last) = page.entries.last()
        {
            page.through = last.seq;
            break;
        }
        page.entries.push(entry);
    }
    Ok(page)
}

/// The user's row, with the inbox's newest number and the newest expired one filled in.
fn extent(connection: &Connection, user: UserId, page: &mut InboxPage) -> Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT ref, inbox_floor, coalesce((SELECT max(seq) FROM dm_inbox WHERE user = ref), inbox_floor)
             FROM dm_users WHERE pubkey = ?1",
        )?
        .query_row([user.as_bytes()], |row| {
            page.floor = codec::get_seq(row, 1)?;
            page.head = codec::get_seq(row, 2)?;
            row.get(0)
        })
        .optional()
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
    connection
        .prepare_cached(
            "SELECT count(i.message), count(*) - count(i.message)
             FROM dm_users u LEFT JOIN dm_devices d ON d.user = u.ref AND d.device = +?2
             JOIN dm_inbox i ON i.user = u.ref AND i.seq > coalesce(d.cursor, 0)
             WHERE u.pubkey = +?1 AND i.origin IS NOT ?3
               AND NOT EXISTS (SELECT 1 FROM dm_acked k WHERE k.device = d.ref AND k.seq = i.seq)",
        )?
        .query_row(
            params![who.user.as_bytes(), who.device.as_str(), codec::origin(Some(&who.device))],
            |row| Ok(Depth { messages: codec::get_number(row, 0)?, notices: codec::get_number(row, 1)? }),
        )
}
