//! [`SessionHandle`], which acknowledges entries for a session.

use std::sync::Arc;

#[cfg(doc)]
use super::delivery::SessionEnd;
#[cfg(doc)]
use super::state::Session;
use crate::device::Principal;
use crate::error::Error;
use crate::hub::{Connection, ConnectionKind};
use crate::service::Service;
use crate::store::{AckTarget, Acknowledged};

/// Acknowledges entries for a [`Session`], from any task.
#[derive(Clone)]
pub struct SessionHandle {
    pub(super) service: Service,
    pub(super) who: Principal,
    pub(super) connection: Arc<Connection>,
}

impl SessionHandle {
    /// Acknowledges entries for the session's device. This also makes room in the session's window.
    ///
    /// If the device was forgotten since the session started, it is not registered again, and the
    /// session ends with [`SessionEnd::Disconnected`]. The handle of a [`Service::follow`] session
    /// registers the device if it is new, as [`Service::acknowledge`] does.
    ///
    /// # Errors
    /// As [`Service::acknowledge`], and [`Error::NotFound`] if the device was forgotten.
    pub async fn acknowledge(&self, target: AckTarget) -> Result<Acknowledged, Error> {
        let acknowledged = match self.connection.kind() {
            ConnectionKind::Device => self.service.acknowledge_registered(&self.who, &target).await?,
            ConnectionKind::Follower => Some(self.service.acknowledge(&self.who, target.clone()).await?),
        };
        let acknowledged = acknowledged.ok_or_else(|| {
            self.connection.end_as_forgotten();
            Error::NotFound
        })?;
        self.connection.remove_acknowledged(acknowledged.cursor, Some(&target));
        Ok(acknowledged)
    }
}

impl std::fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionHandle").field("who", &self.who).finish_non_exhaustive()
    }
}
