//! Orders to end sessions, carried out in this process.

use super::connection::EndCause;
use super::registry::Hub;
use crate::device::DeviceId;
use crate::disconnect::{DisconnectReason, Disconnected, EndSessions};
use crate::user::UserId;

impl Hub {
    /// Ends the sessions of a user in this process, of one device or of all: each ends with
    /// [`SessionEnd::Disconnected`](crate::SessionEnd::Disconnected) before its next delivery.
    /// Returns the number of sessions that it ended. The user can connect again; the host has to
    /// refuse that.
    ///
    /// Hosts call [`Service::disconnect`](crate::Service::disconnect) instead, which also reaches
    /// the other nodes.
    pub fn disconnect(&self, user: UserId, device: Option<&DeviceId>, reason: DisconnectReason) -> usize {
        let mut ended = 0;
        for connection in self.shard(user).get(&user).into_iter().flatten() {
            if device.is_none_or(|device| device == connection.device()) {
                ended += usize::from(connection.end(EndCause::Disconnected(reason)));
            }
        }
        ended
    }

    /// Carries out an order in this process, and answers as if there were no other nodes.
    pub(super) fn end_sessions_here(&self, order: &EndSessions) -> Disconnected {
        let sessions = self.disconnect(order.user, order.device.as_ref(), order.reason);
        Disconnected { sessions, confirmed: vec![self.node()], expected: Some(1) }
    }
}
