//! A notifier that does to hints whatever hints may suffer.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use dm_core::notify::{EndSessions, Notification, Notifier, NotifyError, Reach};
use dm_core::{Disconnected, Hub};

/// Keeps hints back, for the test to pass on to the hub as it likes.
#[derive(Clone)]
pub struct HeldHints {
    pub hub: Hub,
    kept: Arc<Mutex<Vec<Notification>>>,
}

impl HeldHints {
    pub fn new(hub: Hub) -> Self {
        Self { hub, kept: Arc::default() }
    }

    /// Passes on the hints at some places among those that came, in that order; repeats are
    /// welcome.
    pub async fn release(&self, places: impl IntoIterator<Item = usize>) {
        let kept = self.kept.lock().unwrap().clone();
        let chosen: Vec<_> = places.into_iter().filter_map(|place| kept.get(place).cloned()).collect();
        self.hub.notify(&chosen).await.unwrap();
    }
}

#[async_trait]
impl Notifier for HeldHints {
    async fn notify(&self, notifications: &[Notification]) -> Result<Vec<Reach>, NotifyError> {
        self.kept.lock().unwrap().extend_from_slice(notifications);
        Ok(vec![Reach::Absent; notifications.len()])
    }

    async fn end_sessions(&self, order: &EndSessions) -> Disconnected {
        self.hub.end_sessions(order).await
    }
}
