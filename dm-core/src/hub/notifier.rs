//! The hub as the [`Notifier`] of one node.

use async_trait::async_trait;

use super::registry::Hub;
use crate::disconnect::{DisconnectReport, EndSessions};
use crate::inbox::Notification;
use crate::notifier::{Notifier, NotifyError, Reach};

#[async_trait]
impl Notifier for Hub {
    async fn notify(&self, notifications: &[Notification]) -> Result<Vec<Reach>, NotifyError> {
        let deliver = |Notification { user, entry }: &Notification| {
            self.for_each_connection(*user, |connection| {
                connection.push_entry(entry);
                entry.origin.as_ref() != Some(connection.device()) && entry.is_for(connection.registration())
            })
        };
        Ok(notifications.iter().map(deliver).collect())
    }

    async fn end_sessions(&self, request: &EndSessions) -> DisconnectReport {
        self.end_local_sessions(request)
    }
}
