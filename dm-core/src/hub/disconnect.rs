//! Ends sessions of this process on request.

use super::connection::EndCause;
use super::registry::Hub;
use crate::device::DeviceId;
use crate::disconnect::{DisconnectReason, DisconnectReport, EndSessions};
use crate::user::UserId;

impl Hub {
    /// Ends the sessions of a user in this process: those of one device, or of all devices if
    /// `device` is `None`. Returns the number of sessions that it ended.
    ///
    /// Each session ends with [`SessionEnd::Disconnected`](crate::SessionEnd::Disconnected) before
    /// its next delivery. The user can connect again, unless the host refuses that.
    ///
    /// Hosts call [`Service::disconnect`](crate::Service::disconnect) instead, which also reaches
    /// the other nodes.
    pub fn disconnect(&self, user: UserId, device: Option<&DeviceId>, reason: DisconnectReason) -> usize {
        let mut ended = 0;
        for connection in self.shard(user).get(&user).into_iter().flatten() {
            if device.is_none_or(|device| device == connection.device()) {
                ended += usize::from(connection.end(EndCause::Requested(reason)));
            }
        }
        ended
    }

    /// Ends the sessions of this process that a request names. The result is that of a single node:
    /// one node is expected, and it has confirmed.
    pub(super) fn end_local_sessions(&self, request: &EndSessions) -> DisconnectReport {
        let sessions = self.disconnect(request.user, request.device.as_ref(), request.reason);
        DisconnectReport { sessions, confirmed: vec![self.node()], expected: Some(1) }
    }
}
