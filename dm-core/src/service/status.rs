//! [`Status`], which the lanes share with the rest of the service. A lane is a task that commits
//! batches.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, watch};

use super::in_flight::InFlight;
use crate::error::Error;
use crate::store::StoreErrorKind;

/// The status of all lanes together.
#[derive(Default)]
pub(super) struct Status {
    /// Whether the commit that ended last, on any lane, returned an error for its whole batch, or a
    /// lane panicked.
    pub(super) is_failing: AtomicBool,
    /// Notified when a commit failed, so that the service tries another commit even if no user
    /// sends.
    pub(super) commit_failed: Notify,
    /// Whether a lane ended in a panic of the store. Such a lane is not started again.
    pub(super) has_lane_panicked: AtomicBool,
    /// Notified when a job was added that is due at once.
    pub(super) job_added: Notify,
    /// The number of lanes that have not ended.
    pub(super) running_lanes: watch::Sender<usize>,
    /// The batches that the store is committing.
    pub(super) commits_in_flight: InFlight,
}

impl Status {
    /// Whether the last commit succeeded, and every lane can commit. A lane that panicked does not
    /// become better by the commits of the others.
    pub(super) fn is_committing(&self) -> bool {
        !self.is_failing.load(Ordering::Relaxed) && !self.has_lane_panicked.load(Ordering::Relaxed)
    }

    /// The error for a write to a lane that has ended.
    pub(super) fn closed_error(&self) -> Error {
        if self.has_lane_panicked.load(Ordering::Relaxed) {
            Error::Unavailable(StoreErrorKind::Closed.into())
        } else {
            Error::ShuttingDown
        }
    }
}
