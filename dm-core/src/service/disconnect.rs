//! Ending sessions from outside, on all nodes.

use super::handle::Service;
use crate::device::DeviceId;
use crate::disconnect::{DisconnectReason, Disconnected, EndSessions};
use crate::user::UserId;

impl Service {
    /// Ends the sessions of a user on every node, of one device or of all: each ends with
    /// [`SessionEnd::Disconnected`](crate::SessionEnd::Disconnected), a WebSocket of `dm-axum` with
    /// close code 4003, or 4001 for [`DisconnectReason::SignedOut`]. Nothing keeps the user from
    /// connecting again: refuse them first, then call this.
    ///
    /// A node that missed the order keeps its sessions until the host's own check refuses them:
    /// with `dm-axum`, the host's `LiveSession::check`, which is asked at the pings of each
    /// WebSocket; a host with sockets of its own does likewise.
    ///
    /// It goes through the service's [`Notifier`](crate::notify::Notifier), so that the call is the same on
    /// one node and on many:
    ///
    /// ```
    /// use dm_core::{DisconnectReason, Service, UserId};
    ///
    /// # use dm_core::MemoryStore;
    /// async fn ban(dm: &Service, user: UserId) {
    ///     // First the host's own list of those who may not sign in, then those who are connected.
    ///     let ended = dm.disconnect(user, None, DisconnectReason::Refused).await;
    ///     if !ended.is_complete() {
    ///         // The nodes that are missing find out at the next ping, by the host's own check.
    ///         println!("{} of {:?} nodes confirmed: {:?}", ended.confirmed.len(), ended.expected, ended.confirmed);
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let user: UserId = "5866666666666666666666666666666666666666666666666666666666666666".parse()?;
    ///
    /// let dm = Service::builder(MemoryStore::new()).start()?;
    /// let session = dm.connect(&user.into()).await?;
    /// ban(&dm, user).await;
    /// # let mut session = session;
    /// # assert!(session.next().await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// A future that was polled once has ended the sessions of this process, and, across nodes, may
    /// have ended others.
    pub async fn disconnect(
        &self,
        user: UserId,
        device: Option<DeviceId>,
        reason: DisconnectReason,
    ) -> Disconnected {
        self.inner.notifier.end_sessions(&EndSessions { user, device, reason }).await
    }
}
