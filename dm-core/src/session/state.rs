//! [`Session`], which returns one delivery after the other to one connected client.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::delivery::{Delivery, SessionEnd};
use super::handle::SessionHandle;
use crate::device::Principal;
use crate::hub::{ConnectionGuard, ConnectionKind};
use crate::inbox::{Gap, InboxEntry};
use crate::numbers::InboxSeq;
use crate::service::{Service, StoreRead};
use crate::store::{DeviceState, InboxPage};

/// The deliveries for one connected client. Each entry is delivered once, in order and without a
/// hole, even if hints are lost or repeated. Dropping the session disconnects the client.
///
/// A [`handle`](Session::handle) acknowledges entries, also from another task. After
/// [`Config::window`](crate::Config::window) deliveries without an acknowledgement, the next
/// delivery waits for one.
pub struct Session {
    pub(super) service: Service,
    pub(super) who: Principal,
    pub(super) guard: ConnectionGuard,
    /// The number of the newest entry delivered or passed over.
    pub(super) position: InboxSeq,
    /// The number of the newest entry that was delivered, or over which the session has moved the
    /// cursor. The client is not shown the entries from here to `position`, so the session itself
    /// acknowledges them.
    pub(super) delivered: InboxSeq,
    /// The rest of the page from the store that is being delivered.
    pub(super) page: UndeliveredPage,
    /// The running read of the next page; `None` if none is running. A read stays here when a
    /// future of `next` is dropped. Otherwise a host whose loop often wakes would start the read
    /// again each time.
    pub(super) page_read: Option<StoreRead<InboxPage>>,
    /// The running request for the head of the inbox, which a session makes in case every hint was
    /// lost. A request stays here for the same reason as `page_read`.
    pub(super) head_answer: Option<oneshot::Receiver<InboxSeq>>,
    /// The running read of the device's cursor, which a session makes in case the device
    /// acknowledged through another connection. A read stays here for the same reason as
    /// `page_read`.
    pub(super) devices_read: Option<StoreRead<Vec<DeviceState>>>,
    /// Whether the store has to be read before hints are taken.
    pub(super) is_behind: bool,
    /// Whether [`Delivery::CaughtUp`] was delivered. Always true for a follower, which gets none.
    has_caught_up: bool,
    /// The timer of the next poll of the store; `None` if it does not run. The timer stays here
    /// when a future of `next` is dropped, so that polls happen even if the host's loop often
    /// wakes.
    pub(super) poll_timer: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// The part of a page of the inbox that is not delivered yet.
#[derive(Default)]
pub(super) struct UndeliveredPage {
    /// The gap before the first entry, if there is one.
    pub(super) gap: Option<Gap>,
    pub(super) entries: VecDeque<InboxEntry>,
    /// The session's position after the page is delivered.
    pub(super) through: InboxSeq,
}

impl Session {
    pub(super) fn new(service: Service, who: Principal, guard: ConnectionGuard, position: InboxSeq) -> Self {
        let is_follower = guard.connection.kind() == ConnectionKind::Follower;
        Self {
            service,
            who,
            guard,
            position,
            delivered: position,
            page: UndeliveredPage::default(),
            page_read: None,
            head_answer: None,
            devices_read: None,
            is_behind: !is_follower,
            has_caught_up: is_follower,
            poll_timer: None,
        }
    }

    /// Waits for the next delivery.
    ///
    /// # Errors
    /// [`SessionEnd`] when the session has ended. Every later call then returns an error as well,
    /// except after [`SessionEnd::Failed`]: then a later call reads the store again, and may
    /// succeed.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: an entry counts as delivered only when a call has
    /// returned it. A running read of the store continues until the session is dropped.
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
            // The window has room, so the read of the cursor is not needed. If its result, perhaps
            // an error, were used later, it would be out of date.
            self.devices_read = None;
            if let Some(delivery) = self.next_from_page() {
                return Ok(delivery);
            }
            if self.is_behind {
                self.read_page().await?;
            } else if !self.has_caught_up {
                self.has_caught_up = true;
                return Ok(Delivery::CaughtUp { position: self.position });
            } else if let Some(delivery) = self.next_from_hints() {
                return Ok(delivery);
            } else if !self.is_behind {
                // There was no hint. If `next_from_hints` has set `is_behind`, the loop reads the
                // store instead.
                self.is_behind = self.wait_for_hint().await;
            }
        }
    }

    /// Waits for the end of the session and takes no delivery. This is for a host that does not
    /// call [`next`](Self::next) for a while. The future borrows nothing from the session.
    ///
    /// The future resolves when the session is replaced or disconnected, or when the service shuts
    /// down. Futures of later calls then resolve at once. A store that cannot be read does not
    /// resolve the future; only [`next`](Self::next) reads the store.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub fn ended(&self) -> impl Future<Output = SessionEnd> + Send + use<> {
        let (service, connection) = (self.service.clone(), Arc::clone(&self.guard.connection));
        async move {
            tokio::select! {
                biased;
                cause = connection.wait_for_end() => cause.into(),
                () = service.wait_for_shutdown() => SessionEnd::ShuttingDown,
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
        self.position
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

    pub(super) fn is_device(&self) -> bool {
        self.guard.connection.kind() == ConnectionKind::Device
    }

    /// Whether an entry is for the session's device, or for all devices of the user.
    pub(super) fn is_addressed(&self, entry: &InboxEntry) -> bool {
        entry.is_for(self.guard.connection.registration())
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("who", &self.who)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
