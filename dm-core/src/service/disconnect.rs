//! [`Service::disconnect`], which ends sessions on all nodes.

use super::handle::Service;
use crate::device::DeviceId;
use crate::disconnect::{DisconnectReason, DisconnectReport, EndSessions};
use crate::user::UserId;

impl Service {
    /// Ends the sessions of a user on every node: those of one device, or of all devices if
    /// `device` is `None`.
    ///
    /// Each session ends with [`SessionEnd::Disconnected`](crate::SessionEnd::Disconnected). A
    /// WebSocket of `dm-axum` is closed with code 4003, or with 4001 for
    /// [`DisconnectReason::SignedOut`]. The user can connect again afterwards, so the host has to
    /// refuse the user's sign-in before it calls this.
    ///
    /// The request to end the sessions may not reach a node. Such a node keeps its sessions until
    /// the host's own check refuses them. With `dm-axum` that check is the host's `Login::check`,
    /// which is called at the pings of each WebSocket. A host with sockets of its own has to make
    /// such a check, too.
    ///
    /// The request goes through the service's [`Notifier`](crate::notify::Notifier), so the call is
    /// the same for one node and for many:
    ///
    /// ```
    /// use dm_core::{DisconnectReason, Service, UserId};
    ///
    /// # use dm_core::MemoryStore;
    /// async fn ban(dm: &Service, user: UserId) {
    ///     // The host has put the user on its own list of banned users before this.
    ///     let ended = dm.disconnect(user, None, DisconnectReason::Refused).await;
    ///     if !ended.is_complete() {
    ///         // The other nodes end the user's sessions at the next ping, by the host's own check.
    ///         println!("{} of {:?} nodes confirmed", ended.confirmed.len(), ended.expected);
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
    /// The first poll of the future ends the sessions of this process. If the future is then
    /// dropped, sessions on other nodes may have ended or not.
    pub async fn disconnect(
        &self,
        user: UserId,
        device: Option<DeviceId>,
        reason: DisconnectReason,
    ) -> DisconnectReport {
        self.inner.notifier.end_sessions(&EndSessions { user, device, reason }).await
    }
}
