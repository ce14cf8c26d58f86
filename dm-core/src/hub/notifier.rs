//! The hub as the notifier of one node.

use async_trait::async_trait;

use super::connections::Hub;
use crate::disconnect::{Disconnected, EndSessions};
use crate::inbox::Notification;
use crate::notifier::{Notifier, NotifyError, Reach};

#[async_trait]
impl Notifier for Hub {
    async fn notify(&self, notifications: &[Notification]) -> Result<Vec<Reach>, NotifyError> {
        let deliver = |Notification { user, entry }: &Notification| {
            self.tell(*user, entry.origin.as_ref(), |mailbox| mailbox.offer(entry))
        };
        Ok(notifications.iter().map(deliver).collect())
    }

    async fn end_sessions(&self, order: &EndSessions) -> Disconnected {
        self.obey(order)
    }
}
