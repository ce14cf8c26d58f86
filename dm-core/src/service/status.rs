//! The condition of the lanes.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, watch};

use super::under_way::UnderWay;
use crate::error::Error;
use crate::store::StoreErrorKind;

/// The condition of the lanes, for the rest of the service.
#[derive(Default)]
pub(super) struct Status {
    /// Whether the last commit of any lane failed as a whole.
    pub(super) failing: AtomicBool,
    /// Rung when one did, so that another is tried although nobody sends.
    pub(super) failed: Notify,
    /// Whether a lane ended in a panic of the store, for good.
    pub(super) died: AtomicBool,
    /// Rung when a key was published, so that its peers are told.
    pub(super) announce: Notify,
    /// Lanes that have not ended.
    pub(super) running: watch::Sender<usize>,
    /// Batches that the store has.
    pub(super) commits: UnderWay,
}

impl Status {
    /// Why a lane takes nothing any more.
    pub(super) fn closed(&self) -> Error {
        if self.died.load(Ordering::Relaxed) {
            Error::Unavailable(StoreErrorKind::Closed.into())
        } else {
            Error::ShuttingDown
        }
    }
}
