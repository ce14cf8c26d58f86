//! The session: a stream of deliveries for one connected client.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::delivery::{Delivery, SessionEnd};
use super::handle::SessionHandle;
use crate::device::Principal;
use crate::hub::{NextHint, Hint, ConnectionKind, ConnectionGuard};
use crate::ids::MessageId;
use crate::inbox::{Gap, InboxEntry};
use crate::numbers::InboxSeq;
use crate::service::{StoreRead, Service};
use crate::store::{AckTarget, DeviceState, InboxPage, InboxQuery, OwnEntries, StoreError};

/// Most entries in one page from the store.
const PAGE: usize = 128;
/// Most bytes in such a page.
const PAGE_BYTES: usize = 256 * 1024;
/// The number of own entries in a row after which the session moves the device's cursor over them.
const OWN_RUN: u64 = 256;

/// The deliveries for one connected client: each entry once, in order, without a hole, even if
/// hints are lost or repeated. Dropping the session disconnects the client.
///
/// A [`handle`](Session::handle) acknowledges entries; it may be used in another task. After
/// [`Config::window`](crate::Config::window) deliveries without an acknowledgement, the next one
/// waits.
pub struct Session {
    service: Service,
    who: Principal,
    guard: ConnectionGuard,
    /// The number of the newest entry delivered or passed over.
    last: InboxSeq,
    /// The number of the newest entry delivered. The client cannot acknowledge entries that were
    /// passed over since then, so the session does.
    delivered: InboxSeq,
    /// The rest of the page from the store that is being delivered.
    page: Page,
    /// The read of the next page. It stays when a `next` is dropped, so that a host whose loop
    /// often wakes does not start it again each time.
    page_read: Option<StoreRead<InboxPage>>,
    /// The answer to the question for the newest number, in case every hint was lost. It stays
    /// likewise.
    head_answer: Option<oneshot::Receiver<InboxSeq>>,
    /// The read of the device's cursor, in case it was moved elsewhere. It stays likewise.
    devices_read: Option<StoreRead<Vec<DeviceState>>>,
    /// Whether the store has to be read before hints are taken.
    behind: bool,
    /// Whether [`Delivery::CaughtUp`] was delivered, or is not to be.
    caught_up: bool,
    /// The timer of the next poll of the store, while the session waits. It stays likewise, so that
    /// the poll comes even if the host's loop often wakes.
    poll: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// A page of the inbox, or its rest.
#[derive(Default)]
struct Page {
    gap: Option<Gap>,
    entries: VecDeque<InboxEntry>,
    /// The session's position after the page is delivered.
    through: InboxSeq,
}

impl Session {
    pub(super) fn new(service: Service, who: Principal, guard: ConnectionGuard, last: InboxSeq) -> Self {
        let follows = guard.connection.kind() == ConnectionKind::Follower;
        Self {
            service,
            who,
            guard,
            last,
            delivered: last,
            page: Page::default(),
            page_read: None,
            head_answer: None,
            devices_read: None,
            behind: !follows,
            caught_up: follows,
            poll: None,
        }
    }

    /// Waits for the next delivery.
    ///
    /// # Errors
    /// [`SessionEnd`] when the session has ended; every later call then returns an error, too. Only
    /// after [`SessionEnd::Failed`] a later call reads the store again, and may go on.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: an entry counts as delivered only when this returns it. A
    /// running read of the store goes on until the session is dropped.
    pub async fn next(&mut self) -> Result<Delivery, SessionEnd> {
        loop {
            if let Some(cause) = self.guard.connection.end_cause() {
                return Err(cause.into());
            }
            if self.service.is_draining() {
                return Err(SessionEnd::ShuttingDown);
            }
            if !self.has_room() {
                self.wait_for_room().await?;
                continue;
            }
            // There is room without this read. Its result, perhaps an error, would be out of date
            // the next time.
            self.devices_read = None;
            if let Some(delivery) = self.next_from_page() {
                return Ok(delivery);
            }
            if self.behind {
                self.read_page().await?;
            } else if !self.caught_up {
                self.caught_up = true;
                return Ok(Delivery::CaughtUp { position: self.last });
            } else if let Some(delivery) = self.next_from_hints() {
                return Ok(delivery);
            } else if !self.behind {
                self.behind = self.wait_for_hint().await;
            }
        }
    }

    /// Waits for the end of the session and takes no delivery: for a host that does not call
    /// [`next`](Self::next) for a while. The future borrows nothing. It resolves when the session
    /// is replaced or disconnected, or when the service shuts down; later calls then resolve at
    /// once. Only [`next`](Self::next) notices a store that cannot be read.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub fn ended(&self) -> impl Future<Output = SessionEnd> + Send + use<> {
        let (service, connection) = (self.service.clone(), Arc::clone(&self.guard.connection));
        async move {
            tokio::select! {
                biased;
                cause = connection.wait_for_end() => cause.into(),
                () = service.draining() => SessionEnd::ShuttingDown,
            }
        }
    }

    /// The connected user and device.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.who
    }

    /// The number of the newest entry delivered or passed over. Before the first delivery it is the
    /// number after which deliveries start.
    #[must_use]
    pub const fn position(&self) -> InboxSeq {
        self.last
    }

    /// A handle that can acknowledge entries while [`next`](Self::next) waits.
    #[must_use]
    pub fn handle(&self) -> SessionHandle {
        SessionHandle {
            service: self.service.clone(),
            who: self.who.clone(),
            connection: Arc::clone(&self.guard.connection),
        }
    }

    fn is_device(&self) -> bool {
        self.guard.connection.kind() == ConnectionKind::Device
    }

    /// The number of deliveries that may follow before the client acknowledges any.
    fn window_room(&self) -> usize {
        if self.is_device() {
            self.service.config().window.saturating_sub(self.guard.connection.outstanding())
        } else {
            PAGE
        }
    }

    fn has_room(&self) -> bool {
        self.window_room() > 0
    }

    /// The next delivery from the page.
    fn next_from_page(&mut self) -> Option<Delivery> {
        if let Some(gap) = self.page.gap.take() {
            metrics::counter!("dm_gaps_total").increment(1);
            self.record_delivery(gap.to, None);
            return Some(Delivery::Gap(gap));
        }
        if let Some(entry) = self.page.entries.pop_front() {
            return Some(self.deliver(entry));
        }
        if self.page.through > self.last {
            self.pass_over(self.page.through);
        }
        None
    }

    /// The next delivery from the hints.
    fn next_from_hints(&mut self) -> Option<Delivery> {
        loop {
            let hint = match self.guard.connection.next_hint() {
                NextHint::Hint(hint) => hint,
                NextHint::Empty => return None,
                NextHint::Behind => {
                    self.behind = true;
                    return None;
                }
            };
            let (seq, own) = match &hint {
                Hint::Entry(entry) => (entry.seq, entry.origin.as_ref() == Some(&self.who.device)),
                Hint::Number { seq, own } => (*seq, *own),
            };
            if seq <= self.last {
                continue;
            }
            if seq != self.last.next() {
                // The hints of the entries in between were lost or are late.
                self.behind = true;
                return None;
            }
            if self.is_device() && own {
                self.pass_over(seq);
                continue;
            }
            match hint {
                Hint::Entry(entry) => return Some(self.deliver(entry)),
                Hint::Number { .. } => {
                    self.behind = true;
                    return None;
                }
            }
        }
    }

    fn deliver(&mut self, entry: InboxEntry) -> Delivery {
        self.record_delivery(entry.seq, entry.message().map(|message| message.id));
        Delivery::Entry(entry)
    }

    fn record_delivery(&mut self, seq: InboxSeq, message: Option<MessageId>) {
        self.last = seq;
        self.delivered = seq;
        if self.is_device() {
            self.guard.connection.add_outstanding(seq, message);
        }
        metrics::counter!("dm_delivered_total").increment(1);
    }

    /// Passes over entries that the device caused itself, and moves its cursor over a long run of
    /// them. A device that only sends acknowledges nothing. Without this it would pass over all its
    /// sends each time it connects, and would be told of gaps in which nothing is missing.
    fn pass_over(&mut self, through: InboxSeq) {
        self.last = through;
        let run = through.get() - self.delivered.get();
        if self.is_device() && run >= OWN_RUN && self.guard.connection.outstanding() == 0 {
            self.delivered = through;
            let handle = self.handle();
            // Not waited for. After a failure the next run moves the cursor.
            tokio::spawn(async move { handle.acknowledge(AckTarget::UpTo(through)).await });
        }
    }

    /// Reads the next page from the store. Nothing is delivered or passed over before it is read.
    async fn read_page(&mut self) -> Result<(), SessionEnd> {
        let query = InboxQuery {
            who: self.who.clone(),
            after: self.last,
            own: if self.is_device() { OwnEntries::Skip } else { OwnEntries::Include },
            // Not the room in the window: then a client that acknowledges one by one would cost a
            // read for each entry.
            limit: PAGE,
            max_bytes: PAGE_BYTES,
        };
        let page = self.page_read.get_or_insert_with(|| self.service.store().inbox(query)).await;
        self.page_read = None;
        let page = page.and_then(|page| page.leading_on(self.last)).map_err(failed)?;
        self.behind = page.through < page.head;
        let gap = page.gap_after(self.last).filter(|_| self.is_device());
        self.page = Page { gap, entries: page.entries.into(), through: page.through };
        Ok(())
    }

    /// Waits for a hint. At each poll it asks for the newest number, because every hint may have
    /// been lost. Returns whether the store has to be read.
    async fn wait_for_hint(&mut self) -> bool {
        let Some(head_answer) = &mut self.head_answer else {
            if self.wait_for_change().await == WakeReason::PollDue {
                self.head_answer = Some(self.service.inbox_head(self.who.user));
            }
            return false;
        };
        let head = tokio::select! {
            biased;
            head = head_answer => head,
            () = self.guard.connection.changed() => return false,
            () = self.service.draining() => return false,
        };
        self.head_answer = None;
        // Without an answer the store is read, and that read returns the error.
        head.map_or(true, |head| head > self.last)
    }

    /// Waits for an acknowledgement through a handle of this session. At each poll it reads the
    /// device's cursor from the store, because the device may have acknowledged elsewhere.
    async fn wait_for_room(&mut self) -> Result<(), SessionEnd> {
        let Some(devices_read) = &mut self.devices_read else {
            if self.wait_for_change().await == WakeReason::PollDue {
                self.devices_read = Some(self.service.store().devices(self.who.user));
            }
            return Ok(());
        };
        let devices = tokio::select! {
            biased;
            devices = devices_read => devices,
            () = self.guard.connection.changed() => return Ok(()),
            () = self.service.draining() => return Ok(()),
        };
        self.devices_read = None;
        match devices.map_err(failed)?.into_iter().find(|state| state.device == self.who.device) {
            Some(state) => self.guard.connection.remove_acknowledged(state.cursor, None),
            None => self.guard.connection.end_as_forgotten(),
        }
        Ok(())
    }

    /// Waits for a change of the connection, the shutdown of the service, or the next poll.
    async fn wait_for_change(&mut self) -> WakeReason {
        let poll = self.poll.get_or_insert_with(|| self.service.poll_timer());
        tokio::select! {
            () = self.guard.connection.changed() => WakeReason::Changed,
            () = self.service.draining() => WakeReason::Changed,
            () = poll => {
                self.poll = None;
                WakeReason::PollDue
            }
        }
    }
}

/// The reason why a wait ended.
#[derive(PartialEq, Eq)]
enum WakeReason {
    /// The connection changed, or the service is shutting down.
    Changed,
    /// The poll interval is over.
    PollDue,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("who", &self.who).field("last", &self.last).finish_non_exhaustive()
    }
}

fn failed(error: StoreError) -> SessionEnd {
    SessionEnd::Failed(error.into())
}
