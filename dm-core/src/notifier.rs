//! [`Notifier`], the trait that passes hints of new entries, and requests to end sessions, to
//! connected clients. The [`Hub`](crate::Hub) is the notifier of one node, [`NullNotifier`] passes
//! nothing on. The crate's front page explains the [terms](crate#terms), such as hint and node.

use async_trait::async_trait;

use crate::device::DeviceId;
use crate::disconnect::{DisconnectReport, EndSessions};
use crate::inbox::Notification;
use crate::numbers::InboxSeq;
use crate::user::UserId;

/// A hint that has the number of a new entry but not the entry, for
/// [`Hub::hint`](crate::Hub::hint). A notifier between nodes uses it where the entry is too large
/// for its transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeqHint {
    /// The owner of the inbox.
    pub user: UserId,
    /// The entry's number in that inbox.
    pub seq: InboxSeq,
    /// The device of this user that caused the entry; `None` if none did. The entry is not pending
    /// for that device.
    pub origin: Option<DeviceId>,
}

/// The transport of hints, and of requests to end sessions, to connected clients. A host that
/// delivers entries by code of its own implements this trait. A notifier that wraps another one
/// passes hints and requests on to that one.
///
/// # Contract
/// 1. `notify` is called at most once per commit, after the commit is durable, with all
///    notifications of that commit. The notifications of one user are in the order of the inbox.
///    With several lanes (see [`Store::lanes`](crate::store::Store::lanes)) the calls for several
///    commits may come in any order.
/// 2. Hints may be lost, repeated or late. Inbox numbers have no holes. So a receiver whose newest
///    entry is *n* delivers the entry of a hint with number *n + 1*, ignores a hint with a number
///    up to *n*, and reads the entries after *n* from the store when a hint has any later number.
///    Nothing else may depend on a hint.
/// 3. `notify` must not wait for a client or block the thread: hints that cannot be passed on at
///    once are dropped.
/// 4. An error or a panic of `notify` is counted and logged. It changes no answer, and the hints of
///    later commits are passed on.
/// 5. `end_sessions` ends the sessions of this process before it waits for anything. It then asks
///    other processes, within a time limit of its own, and counts only the processes that
///    confirmed. A request may be lost. The sessions that it did not reach end when the host finds
///    that their login has ended (`dm-axum` checks the login at the pings of a WebSocket).
#[async_trait]
pub trait Notifier: Send + Sync + 'static {
    /// Passes hints on. Item *i* of the result says whether notification *i* reached a connection
    /// of its user.
    ///
    /// # Errors
    /// [`NotifyError`] when no hint could be passed on; see clause 4.
    async fn notify(&self, notifications: &[Notification]) -> Result<Vec<Reach>, NotifyError>;

    /// Ends sessions on all nodes; see clause 5.
    /// [`Service::disconnect`](crate::Service::disconnect) calls it.
    ///
    /// # Cancel safety
    /// A future that was polled once has ended the sessions of this process.
    async fn end_sessions(&self, request: &EndSessions) -> DisconnectReport;
}

/// Whether a hint reached a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// At least one connection of the user got the hint. Connections of the device that caused the
    /// entry do not count, nor do those of devices that the entry is not for.
    Connected,
    /// The user has no connection that counts.
    Absent,
}

/// The hints of a commit could not be passed on.
#[derive(Debug, thiserror::Error)]
#[error("notifications could not be passed on")]
pub struct NotifyError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// A notifier that drops every hint and ends no session. For hosts whose clients only fetch,
/// without sessions.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullNotifier;

#[async_trait]
impl Notifier for NullNotifier {
    async fn notify(&self, notifications: &[Notification]) -> Result<Vec<Reach>, NotifyError> {
        Ok(vec![Reach::Absent; notifications.len()])
    }

    /// Ends no session. The result says that no node confirmed.
    async fn end_sessions(&self, _: &EndSessions) -> DisconnectReport {
        DisconnectReport::default()
    }
}
