//! The condition of the lanes.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, watch};

use super::in_flight::InFlight;
use crate::error::Error;
use crate::store::StoreErrorKind;

/// The condition of the lanes, for the rest of the service.
#[derive(Default)]
pub(super) struct Status {
    /// Whether the last commit of any lane failed as a whole.
    pub(super) failing: AtomicBool,
    /// Rung when one did, so that another is tried although nobody sends.
    pub(super) commit_failed: Notify,
    /// Whether a lane ended in a panic of the store, for good.
    pub(super) lane_panicked: AtomicBool,
    /// Rung when a key was published, so that its peers are told.
    pub(super) key_published: Notify,
    /// Lanes that have not ended.
    pub(super) running_lanes: watch::Sender<usize>,
    /// Batches that the store has.
    pub(super) commits_in_flight: InFlight,
}

impl Status {
    /// Why a lane takes nothing any more.
    pub(super) fn closed_error(&self) -> Error {
        if self.lane_panicked.load(Ordering::Relaxed) {
            Error::Unavailable(StoreErrorKind::Closed.into())
        } else {
            Error::ShuttingDown
        }
    }
}
