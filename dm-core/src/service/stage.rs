//! [`Stage`], the stages in the life of a service, and [`Lifecycle`], its current stage.

use tokio::sync::{Notify, watch};

/// A stage in the life of a service. A service only moves to later stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// New work is accepted.
    Running,
    /// New work is refused, and queued work is finished.
    Draining,
    /// Queued work is answered with an error.
    Stopped,
}

/// The stage of a service. Tasks can wait for it to change.
pub(super) struct Lifecycle {
    stage: watch::Sender<Stage>,
    /// Notified when the stage changes, for the sessions.
    changed: Notify,
}

impl Lifecycle {
    /// The lifecycle of a service that is running.
    pub(super) fn new() -> Self {
        Self { stage: watch::Sender::new(Stage::Running), changed: Notify::new() }
    }

    pub(super) fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Moves to a stage. Does nothing if the service is in this stage or in a later one.
    pub(super) fn advance(&self, target: Stage) {
        self.stage.send_if_modified(|stage| {
            let is_later = *stage < target;
            *stage = (*stage).max(target);
            is_later
        });
        self.changed.notify_waiters();
    }

    /// Resolves after shutdown has begun.
    ///
    /// Each session that waits has such a future, so it has to be small. It takes 80 bytes. A
    /// future that waits for the stage in the `watch` channel would take 216.
    pub(super) async fn wait_for_shutdown(&self) {
        // This future is created before the check, so that it resolves if the shutdown begins
        // between the check and the wait.
        let changed = self.changed.notified();
        if self.stage() == Stage::Running {
            changed.await;
        }
    }
}

/// Resolves when the service is in a later stage than `earlier`. Never resolves after the service
/// was dropped.
pub(super) async fn wait_until_past(stage: &mut watch::Receiver<Stage>, earlier: Stage) {
    // `wait_for` fails if the service was dropped. The lanes then end because all senders of jobs
    // are dropped.
    if stage.wait_for(|now| *now > earlier).await.is_err() {
        std::future::pending::<()>().await;
    }
}
