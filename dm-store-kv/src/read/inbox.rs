//! Reading pages of an inbox, the devices of a user, and the number of entries that are pending for
//! a device.

use dm_core::store::{
    Depth, DeviceId, DeviceState, Event, InboxEntry, InboxPage, InboxQuery, InboxSeq, Principal,
    Registration, UserId,
};

use super::MessageReader;
use crate::codec::{Content, DeviceRow, EntryRow, Fields, log_key, mark_key, refs_key};
use crate::failure::Failure;
use crate::rows::{Rows, RowsExt as _};
use crate::tables::Tables;

/// The maximum number of entries that are examined for one page, so that no read walks over a whole
/// inbox. Some examined entries are not in the page, for instance those that the device
/// acknowledged. So a page can have fewer entries than asked for, or none, and the device asks for
/// the next page.
const MAX_EXAMINED: usize = 4_096;

/// A walk over the marks of a device, while the caller walks over the device's inbox. A *mark* is
/// an entry that the device acknowledged individually.
pub(crate) struct Marks<'a, T: Rows + 'a> {
    rows: T::Walk<'a>,
    next: Option<InboxSeq>,
}

impl<T: Rows> Marks<'_, T> {
    /// Whether an entry has a mark. The entries of successive calls must ascend.
    pub(crate) fn contains(&mut self, seq: InboxSeq) -> Result<bool, Failure> {
        while self.next.is_some_and(|next| next < seq) {
            self.advance()?;
        }
        Ok(self.next == Some(seq))
    }

    fn advance(&mut self) -> Result<(), Failure> {
        self.next = match self.rows.next() {
            None => None,
            Some(row) => Some(marked_entry(&row?.0)?),
        };
        Ok(())
    }
}

/// Decodes the number of the entry from the key of a mark.
pub(crate) fn marked_entry(key: &[u8]) -> Result<InboxSeq, Failure> {
    let mut key = Fields::new(key);
    key.skip_ref()?;
    key.skip_ref()?;
    key.last(Fields::seq)
}

impl<T: Rows> Tables<T> {
    /// The ref and the row of a user's device, by the device's name; `None` if the device is not
    /// registered. Walks over all devices of the user, which are few and in adjacent rows.
    pub(crate) fn device(
        &self,
        user_ref: u32,
        device: &DeviceId,
    ) -> Result<Option<(u32, DeviceRow)>, Failure> {
        for found in self.user_devices(user_ref)? {
            let found = found?;
            if found.1.device == *device {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The ref and the row of each device of a user, in order of registration. The ref is the
    /// number of the device's registration.
    pub(crate) fn user_devices(
        &self,
        user_ref: u32,
    ) -> Result<impl Iterator<Item = Result<(u32, DeviceRow), Failure>>, Failure> {
        let rows = self.devices.scan(&refs_key(user_ref, 1), &refs_key(user_ref, u32::MAX))?;
        Ok(rows.map(|row| {
            let (key, value) = row?;
            let mut key = Fields::new(&key);
            key.skip_ref()?;
            Ok((key.last(Fields::u32)?, DeviceRow::decode(Fields::new(&value))?))
        }))
    }

    /// The number of the newest registration of a user that may not be found as a device, because
    /// the device was forgotten; zero if there is none.
    pub(crate) fn forgotten_registration(&self, user_ref: u32) -> Result<u32, Failure> {
        let newest = self.devices.find(&refs_key(user_ref, 0), |value| value.last(Fields::u32))?;
        Ok(newest.unwrap_or(0))
    }

    /// The marks of a device above the entry `after`. The device has no marks up to its cursor.
    pub(crate) fn marks(&self, user: u32, device: u32, after: InboxSeq) -> Result<Marks<'_, T>, Failure> {
        let from = mark_key(user, device, after.next().get());
        let mut marks =
            Marks { rows: self.acked.scan(&from, &mark_key(user, device, u64::MAX))?, next: None };
        marks.advance()?;
        Ok(marks)
    }

    /// The numbers and rows of a user's entries above the entry `after`, in ascending order.
    pub(crate) fn entries_after(
        &self,
        user_ref: u32,
        after: InboxSeq,
    ) -> Result<impl Iterator<Item = Result<(InboxSeq, EntryRow), Failure>>, Failure> {
        let from = log_key(user_ref, after.next().get());
        let rows = self.inbox.scan(&from, &log_key(user_ref, u64::MAX))?;
        Ok(rows.map(|row| {
            let (key, value) = row?;
            let mut key = Fields::new(&key);
            key.skip_ref()?;
            Ok((key.last(Fields::seq)?, EntryRow::decode(Fields::new(&value))?))
        }))
    }
}

/// A page of the entries that a device has not acknowledged. The query decides whether the page has
/// entries that the device caused. For an unknown user the page is empty, and its numbers are zero.
///
/// `through` of the page is the number of the entry up to which the page is complete: the head of
/// the inbox if the page reaches the end, otherwise the last entry in the page or the last examined
/// one.
pub(super) fn inbox(tables: &Tables<impl Rows>, query: &InboxQuery) -> Result<InboxPage, Failure> {
    let none = InboxSeq::ZERO;
    let mut page =
        InboxPage { entries: Vec::new(), through: none, head: none, floor: none, floor_proof: None };
    let Some(user_ref) = tables.user_ref(query.who.user)? else { return Ok(page) };
    let user = tables.user_head(user_ref, None)?;
    (page.floor, page.floor_proof, page.head) = (user.floor, user.proof, user.head);
    page.through = page.head;

    let device = tables.device(user_ref, &query.who.device)?;
    let registration = device.as_ref().map(|(device_ref, _)| Registration::new((*device_ref).into()));
    let mut marks = match device {
        Some((device_ref, row)) => Some(tables.marks(user_ref, device_ref, query.after.max(row.cursor))?),
        None => None,
    };
    let mut messages = MessageReader::new(tables);
    let (mut bytes, mut examined) = (0_usize, 0);
    for entry in tables.entries_after(user_ref, query.after.max(page.floor))? {
        if examined == MAX_EXAMINED {
            break;
        }
        examined += 1;
        let (seq, row) = entry?;
        if examined == MAX_EXAMINED {
            page.through = seq;
        }
        let origin = row.origin.as_ref();
        // The message of an entry that is left out is not read, so `InboxQuery::shows`, which takes
        // a whole entry, cannot be used here.
        let is_shown = row.is_for(registration)
            && match row.content {
                Content::Message(_) => query.own.shows_message(&query.who.device, origin),
                Content::Notice(_) => query.own.shows_notice(&query.who.device, origin),
            };
        let is_acknowledged = match &mut marks {
            Some(marks) => marks.contains(seq)?,
            None => false,
        };
        if !is_shown || is_acknowledged {
            continue;
        }
        if page.entries.len() == query.limit
            && let Some(last) = page.entries.last()
        {
            page.through = last.seq;
            break;
        }
        let event = match row.content {
            Content::Message(row) => Event::Message(messages.read(row)?.1),
            Content::Notice(notice) => Event::Notice(notice),
        };
        let EntryRow { at, origin, addressee, .. } = row;
        let entry = InboxEntry { seq, at, origin, addressee, event };
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

/// The devices of a user, in order of registration. Empty for an unknown user.
pub(super) fn devices(tables: &Tables<impl Rows>, user: UserId) -> Result<Vec<DeviceState>, Failure> {
    let Some(user_ref) = tables.user_ref(user)? else { return Ok(Vec::new()) };
    tables
        .user_devices(user_ref)?
        .map(|found| {
            let (device_ref, DeviceRow { device, cursor, registered_at }) = found?;
            let registration = Registration::new(device_ref.into());
            Ok(DeviceState { device, cursor, registered_at, registration })
        })
        .collect()
}

/// The number of the newest entry of a user's inbox; zero for an unknown user.
pub(super) fn head(tables: &Tables<impl Rows>, user: UserId) -> Result<InboxSeq, Failure> {
    match tables.user_ref(user)? {
        Some(user_ref) => Ok(tables.user_head(user_ref, None)?.head),
        None => Ok(InboxSeq::ZERO),
    }
}

/// The number of messages and of notices that are pending for a device: entries above its cursor
/// that it has not acknowledged, did not cause, and that are not for another device. An unknown device counts as a device with cursor
/// zero that has acknowledged nothing.
pub(super) fn depth(tables: &Tables<impl Rows>, who: &Principal) -> Result<Depth, Failure> {
    let mut depth = Depth::default();
    let Some(user_ref) = tables.user_ref(who.user)? else { return Ok(depth) };
    let (cursor, registration, mut marks) = match tables.device(user_ref, &who.device)? {
        Some((device_ref, row)) => {
            let marks = tables.marks(user_ref, device_ref, row.cursor)?;
            (row.cursor, Some(Registration::new(device_ref.into())), Some(marks))
        }
        None => (InboxSeq::ZERO, None, None),
    };
    let after = cursor.max(tables.floor(user_ref)?);
    for entry in tables.entries_after(user_ref, after)? {
        let (seq, row) = entry?;
        let is_acknowledged = match &mut marks {
            Some(marks) => marks.contains(seq)?,
            None => false,
        };
        if is_acknowledged || row.origin.as_ref() == Some(&who.device) || !row.is_for(registration) {
            continue;
        }
        match row.content {
            Content::Message(_) => depth.messages += 1,
            Content::Notice(_) => depth.notices += 1,
        }
    }
    Ok(depth)
}
