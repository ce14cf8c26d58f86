//! How far a service is in its life.

use tokio::sync::{Notify, watch};

/// How far a service is in its life. Only ever goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Taking work.
    Running,
    /// Refusing new work, finishing what was queued.
    Draining,
    /// Finishing nothing more.
    Stopped,
}

/// The stage of a service, and who waits for it to change.
pub(super) struct Lifecycle {
    stage: watch::Sender<Stage>,
    /// Rung when the stage moves on, for the sessions.
    changed: Notify,
}

impl Lifecycle {
    /// Of a service that is running.
    pub(super) fn new() -> Self {
        Self { stage: watch::Sender::new(Stage::Running), changed: Notify::new() }
    }

    pub(super) fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Moves on to a stage, unless it is there or past it.
    pub(super) fn advance(&self, to: Stage) {
        self.stage.send_if_modified(|stage| {
            let forward = *stage < to;
            *stage = (*stage).max(to);
            forward
        });
        self.changed.notify_waiters();
    }

    /// Resolves once shutdown began.
    ///
    /// Each session that waits holds one: 80 bytes, where waiting for the stage itself takes 216.
    pub(super) async fn draining(&self) {
        // A call from here on is heard, so that a shutdown between the look and the wait is not
        // missed.
        let changed = self.changed.notified();
        if self.stage() == Stage::Running {
            changed.await;
        }
    }
}

/// Resolves once the service is past a stage of its life, or gone.
pub(super) async fn wait_until_past(stage: &mut watch::Receiver<Stage>, than: Stage) {
    // An error means that the service was dropped. Its queue ends by itself then, in the ordinary
    // way.
    if stage.wait_for(|now| *now > than).await.is_err() {
        std::future::pending::<()>().await;
    }
}
