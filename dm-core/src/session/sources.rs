//! The two sources of a session's deliveries: pages from the store, and hints.
//!
//! The session's position is the number of the newest entry that was delivered or passed over. An
//! entry is passed over if it is not shown to the client. The session is behind if it has to read
//! the store before it takes hints.

use super::delivery::{Delivery, SessionEnd};
use super::state::{Session, UndeliveredPage};
use crate::hub::{Hint, NextHint};
use crate::ids::MessageId;
use crate::inbox::InboxEntry;
use crate::numbers::InboxSeq;
use crate::store::{AckTarget, InboxQuery, OwnEntries};

/// Maximum number of entries in one page from the store. The session keeps the page in memory until
/// its client has taken all entries, so pages are small.
const MAX_PAGE_ENTRIES: usize = 128;
/// Maximum number of bytes in one page from the store. A single entry may exceed it.
const MAX_PAGE_BYTES: usize = 256 * 1024;
/// Minimum number of entries in a row that are passed over before the session moves the device's
/// cursor. Each move costs a commit, so a session does not move the cursor for every entry.
const MIN_CURSOR_MOVE: u64 = 256;

impl Session {
    /// The next delivery from the page; `None` when all of it is delivered. Then the entries that
    /// the page left out at its end are passed over.
    pub(super) fn next_from_page(&mut self) -> Option<Delivery> {
        if let Some(gap) = self.page.gap.take() {
            metrics::counter!("dm_gaps_total").increment(1);
            self.record_delivery(gap.to, None);
            return Some(Delivery::Gap(gap));
        }
        if let Some(entry) = self.page.entries.pop_front() {
            return Some(self.deliver(entry));
        }
        if self.page.through > self.position {
            self.pass_over(self.page.through);
        }
        None
    }

    /// The next delivery from the hints; `None` when no hint waits, or when the store has to be
    /// read first. In the second case this sets `is_behind`.
    pub(super) fn next_from_hints(&mut self) -> Option<Delivery> {
        loop {
            let hint = match self.guard.connection.next_hint() {
                NextHint::Hint(hint) => hint,
                NextHint::Empty => return None,
                NextHint::Behind => {
                    self.is_behind = true;
                    return None;
                }
            };
            let (seq, is_own) = match &hint {
                Hint::Entry(entry) => (entry.seq, entry.origin.as_ref() == Some(&self.who.device)),
                Hint::Number { seq, is_own } => (*seq, *is_own),
            };
            if seq <= self.position {
                continue;
            }
            if seq != self.position.next() {
                // The hints of the entries in between were lost or are late.
                self.is_behind = true;
                return None;
            }
            // A hint without its entry does not say for whom the entry is. The store is read then.
            let is_for_others = matches!(&hint, Hint::Entry(entry) if !self.is_addressed(entry));
            if is_for_others || (self.is_device() && is_own) {
                self.pass_over(seq);
                continue;
            }
            match hint {
                Hint::Entry(entry) => return Some(self.deliver(entry)),
                Hint::Number { .. } => {
                    self.is_behind = true;
                    return None;
                }
            }
        }
    }

    /// Records an entry as delivered, and returns its delivery.
    fn deliver(&mut self, entry: InboxEntry) -> Delivery {
        self.record_delivery(entry.seq, entry.message().map(|message| message.id));
        Delivery::Entry(entry)
    }

    /// Moves the session's position to an entry or to the end of a gap, and adds the delivery to
    /// the window. `message` is `None` for a notice or a gap.
    fn record_delivery(&mut self, seq: InboxSeq, message: Option<MessageId>) {
        self.position = seq;
        self.delivered = seq;
        if self.is_device() {
            self.guard.connection.add_outstanding(seq, message);
        }
        metrics::counter!("dm_delivered_total").increment(1);
    }

    /// Passes over the entries up to `through`, which the device caused or has acknowledged, or
    /// which are for other devices. If they are many, moves the device's cursor over them.
    ///
    /// A device that only sends messages has nothing to acknowledge, so its cursor would stay. Each
    /// of its sessions would pass over all its sent messages again. After these have expired, the
    /// session would deliver a gap in which the device misses nothing.
    fn pass_over(&mut self, through: InboxSeq) {
        self.position = through;
        let count = through.get() - self.delivered.get();
        // While deliveries are outstanding, a move would acknowledge them as well.
        if self.is_device() && count >= MIN_CURSOR_MOVE && self.guard.connection.outstanding_count() == 0 {
            self.delivered = through;
            let handle = self.handle();
            // No other task waits for this one. If it fails, a later move includes these entries.
            tokio::spawn(async move { handle.acknowledge(AckTarget::UpTo(through)).await });
        }
    }

    /// Reads the next page from the store. Nothing is delivered or passed over until the page is
    /// read.
    pub(super) async fn read_page(&mut self) -> Result<(), SessionEnd> {
        let query = InboxQuery {
            who: self.who.clone(),
            after: self.position,
            own: if self.is_device() { OwnEntries::Skip } else { OwnEntries::Include },
            // A page may have more entries than the window has room for. If the room were the
            // limit, a client that acknowledges one entry at a time would cost one read per entry.
            limit: MAX_PAGE_ENTRIES,
            max_bytes: MAX_PAGE_BYTES,
        };
        let page = self.page_read.get_or_insert_with(|| self.service.store().inbox(query)).await;
        self.page_read = None;
        let mut page =
            page.and_then(|page| page.require_progress(self.position)).map_err(SessionEnd::failed)?;
        // The store compares with the device that has this name now. A follower is no device, and
        // the session's own device may have been forgotten and another one registered.
        page.entries.retain(|entry| self.is_addressed(entry));
        self.is_behind = page.through < page.head;
        let gap = page.gap_after(self.position).filter(|_| self.is_device());
        self.page = UndeliveredPage { gap, entries: page.entries.into(), through: page.through };
        Ok(())
    }
}
