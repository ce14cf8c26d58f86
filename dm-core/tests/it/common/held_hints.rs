//! [`HeldHints`], a notifier with which a test loses, repeats and reorders hints.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use dm_core::notify::{EndSessions, Notification, Notifier, NotifyError, Reach};
use dm_core::{DisconnectReport, Hub};

/// A notifier that keeps every hint, for the test to pass on to the hub.
#[derive(Clone)]
pub struct HeldHints {
    pub hub: Hub,
    kept: Arc<Mutex<Vec<Notification>>>,
}

impl HeldHints {
    pub fn new(hub: Hub) -> Self {
        Self { hub, kept: Arc::default() }
    }

    /// Passes on the kept hints with these indexes, in this order. An index may be repeated.
    pub async fn release(&self, indexes: impl IntoIterator<Item = usize>) {
        let kept = self.kept.lock().unwrap().clone();
        let chosen: Vec<_> = indexes.into_iter().filter_map(|index| kept.get(index).cloned()).collect();
        self.hub.notify(&chosen).await.unwrap();
    }
}

#[async_trait]
impl Notifier for HeldHints {
    async fn notify(&self, notifications: &[Notification]) -> Result<Vec<Reach>, NotifyError> {
        self.kept.lock().unwrap().extend_from_slice(notifications);
        Ok(vec![Reach::Absent; notifications.len()])
    }

    async fn end_sessions(&self, request: &EndSessions) -> DisconnectReport {
        self.hub.end_sessions(request).await
    }
}
