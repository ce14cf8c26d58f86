//! Notifications: hints that something was committed.

use async_trait::async_trait;

use crate::device::DeviceId;
use crate::disconnect::{Disconnected, EndSessions};
use crate::inbox::Notification;
use crate::numbers::InboxSeq;
use crate::user::UserId;

/// A hint without its entry, such as one that was too large for what carried it here: for
/// [`Hub::hint`](crate::Hub::hint).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryHint {
    /// Whose inbox.
    pub user: UserId,
    /// The entry's place in it.
    pub seq: InboxSeq,
    /// The user's device that caused the entry and is to be left out.
    pub origin: Option<DeviceId>,
}

/// Carries hints, and orders to end sessions, to connected clients: implemented by hosts that push.
/// One that wraps another passes both on.
///
/// # Contract
/// 1. Called once per commit, after it is durable, with all its notifications; per user in the order of their inbox
///    within one commit. Commits of a store with several lanes are told in any order.
/// 2. Hints may be lost, repeated or late. Inbox numbers are dense, so a receiver that holds *n* delivers *n + 1*,
///    drops anything up to *n*, and reads the store from *n* for anything later. Nothing else may depend on a hint.
/// 3. It must not wait for a client or block the thread: hints that cannot be passed on at once are dropped.
/// 4. A failure, or a panic, is counted and logged, and changes no answer; the hints of later commits come.
/// 5. An order to end sessions is carried out in this process before anything is waited for. Others
///    are asked, within a bound of the notifier's own, and only those that confirmed count. An
///    order may be lost; the host's own check of a session (at each ping, in `dm-axum`) finds what
///    it left.
#[async_trait]
pub trait Notifier: Send + Sync + 'static {
    /// Passes hints on. Answer *i* says whether notification *i* reached a connection of its user.
    ///
    /// # Errors
    /// When none could be passed on; see clause 4.
    async fn notify(&self, notifications: &[Notification]) -> Result<Vec<Reach>, NotifyError>;

    /// Ends sessions wherever they are; see clause 5.
    /// [`Service::disconnect`](crate::Service::disconnect) calls it.
    ///
    /// # Cancel safety
    /// A future that was polled once has ended the sessions of this process.
    async fn end_sessions(&self, order: &EndSessions) -> Disconnected;
}

/// Whether a hint found somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// At least one connection of the user was told.
    Connected,
    /// The user has no connection that could be told.
    Absent,
}

/// Hints could not be passed on.
#[derive(Debug, thiserror::Error)]
#[error("notifications could not be passed on")]
pub struct NotifyError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Tells nobody: for hosts whose clients only fetch.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullNotifier;

#[async_trait]
impl Notifier for NullNotifier {
    async fn notify(&self, notifications: &[Notification]) -> Result<Vec<Reach>, NotifyError> {
        Ok(vec![Reach::Absent; notifications.len()])
    }

    /// Ends nothing: it knows of no session, and of no node.
    async fn end_sessions(&self, _: &EndSessions) -> Disconnected {
        Disconnected::default()
    }
}
