//! What the handles of an embedded store and its commit thread share.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::engine::EngineReader;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::status::{Availability, Room, StoreStatus};

/// The age at which a measurement of free space is asked for again.
pub(super) const MEASURE_INTERVAL: Duration = Duration::from_secs(1);

/// The condition of a store, and its reading half while it is open.
pub(super) struct Shared<R> {
    reader: RwLock<Option<Arc<WatchedReader<R>>>>,
    availability: AtomicU8,
    low: AtomicBool,
    /// When free space was last measured, in milliseconds since `began`.
    measured: AtomicU64,
    began: Instant,
}

/// A reading half, and what tells when it is dropped.
pub(super) struct WatchedReader<R> {
    // Dropped before the signal: fields are dropped in their order.
    reader: R,
    _signal: DropSignal,
}

/// What the thread that reopens a store waits for.
pub(super) enum Signal {
    /// The old reading half is dropped.
    ReaderGone,
    /// The last handle is dropped.
    Stop,
}

struct DropSignal(Sender<Signal>);

impl Drop for DropSignal {
    fn drop(&mut self) {
        // Nobody waits unless the store is being reopened.
        let _ = self.0.send(Signal::ReaderGone);
    }
}

/// Both ends of what tells that a reading half is dropped.
pub(super) struct Watch {
    pub(super) signals: Sender<Signal>,
    pub(super) received: Receiver<Signal>,
}

impl<R: EngineReader> WatchedReader<R> {
    pub(super) fn new(reader: R) -> (Arc<Self>, Watch) {
        let (signals, received) = mpsc::channel();
        let held = Self { reader, _signal: DropSignal(signals.clone()) };
        (Arc::new(held), Watch { signals, received })
    }
}

impl<R> std::ops::Deref for WatchedReader<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.reader
    }
}

impl<R> Shared<R> {
    pub(super) fn new(reader: Arc<WatchedReader<R>>) -> Self {
        Self {
            reader: RwLock::new(Some(reader)),
            availability: AtomicU8::new(OPEN),
            low: AtomicBool::new(false),
            measured: AtomicU64::new(0),
            began: Instant::now(),
        }
    }

    /// The reading half.
    ///
    /// # Errors
    /// [`refusal`](Self::refusal), while there is none to be used.
    pub(super) fn reader(&self) -> Result<Arc<WatchedReader<R>>, StoreError> {
        let reader = self.reader.read().unwrap_or_else(PoisonError::into_inner);
        if self.availability() != Availability::Open {
            return Err(self.refusal());
        }
        reader.clone().ok_or_else(|| self.refusal())
    }

    /// How work is refused: as unavailable while the store is being reopened, as closed when it
    /// stays so.
    pub(super) fn refusal(&self) -> StoreError {
        match self.availability() {
            Availability::Closed => StoreErrorKind::Closed.into(),
            Availability::Open | Availability::Reopening => {
                StoreError::new(StoreErrorKind::Unavailable, "the store is being reopened")
            }
        }
    }

    /// Whether a reading half is the one in use.
    pub(super) fn uses(&self, reader: &Arc<WatchedReader<R>>) -> bool {
        let used = self.reader.read().unwrap_or_else(PoisonError::into_inner);
        used.as_ref().is_some_and(|used| Arc::ptr_eq(used, reader))
    }

    /// Work is accepted again, with this reading half.
    pub(super) fn open(&self, reader: Arc<WatchedReader<R>>) {
        *self.reader.write().unwrap_or_else(PoisonError::into_inner) = Some(reader);
        self.availability.store(OPEN, Ordering::Release);
    }

    /// Work is refused until [`open`](Self::open). Gives the reading half up, which reads that are
    /// under way still hold.
    pub(super) fn reopening(&self) -> Option<Arc<WatchedReader<R>>> {
        self.availability.store(REOPENING, Ordering::Release);
        self.reader.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Work is refused for good.
    pub(super) fn close(&self) {
        self.availability.store(CLOSED, Ordering::Release);
    }

    pub(super) fn set_room(&self, room: Room) {
        self.low.store(room == Room::Low, Ordering::Relaxed);
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.measured.store(now, Ordering::Relaxed);
    }

    /// Whether the last measurement of free space is old.
    pub(super) fn is_stale(&self) -> bool {
        let measured = Duration::from_millis(self.measured.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(measured) >= MEASURE_INTERVAL
    }

    pub(super) fn status(&self) -> StoreStatus {
        let room = if self.low.load(Ordering::Relaxed) { Room::Low } else { Room::Enough };
        StoreStatus { availability: self.availability(), room, ..StoreStatus::default() }
    }

    pub(super) fn availability(&self) -> Availability {
        match self.availability.load(Ordering::Acquire) {
            OPEN => Availability::Open,
            REOPENING => Availability::Reopening,
            _ => Availability::Closed,
        }
    }
}

const OPEN: u8 = 0;
const REOPENING: u8 = 1;
const CLOSED: u8 = 2;
