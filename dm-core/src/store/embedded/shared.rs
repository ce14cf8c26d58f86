//! [`Shared`], the state that the handles of an embedded store share with its commit thread.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::engine::EngineReader;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::status::{Availability, Room, StoreStatus};

/// The age at which a measurement of free space is out of date.
pub(super) const MEASURE_INTERVAL: Duration = Duration::from_secs(1);

/// The status of a store, and the engine's reader.
pub(super) struct Shared<R> {
    /// The engine's reader; `None` while the engine is being reopened. The lock is held only to
    /// copy or replace the value, so the value is valid even if a holder panicked.
    reader: RwLock<Option<Arc<WatchedReader<R>>>>,
    /// One of `OPEN`, `REOPENING` and `CLOSED`.
    availability: AtomicU8,
    /// Whether the disk had too little free space at the last measurement.
    is_space_low: AtomicBool,
    /// The time of the last measurement of free space, in milliseconds since `created_at`.
    measured_at: AtomicU64,
    /// The time at which this value was created.
    created_at: Instant,
}

/// A reader that sends [`Signal::ReaderGone`] when it is dropped.
pub(super) struct WatchedReader<R> {
    // Fields are dropped in declaration order, so `reader` drops before the signal is sent.
    reader: R,
    _signal: DropSignal,
}

/// A signal to the thread that reopens a store.
pub(super) enum Signal {
    /// The old reader was dropped.
    ReaderGone,
    /// The last handle of the store was dropped.
    Stop,
}

/// Sends [`Signal::ReaderGone`] when it is dropped.
struct DropSignal(Sender<Signal>);

impl Drop for DropSignal {
    fn drop(&mut self) {
        // Sending fails if the receiver was dropped. Then no thread waits for the signal.
        let _ = self.0.send(Signal::ReaderGone);
    }
}

/// Both ends of a channel of signals to the thread that reopens a store. A [`WatchedReader`] has a
/// second sender.
pub(super) struct ReaderSignals {
    pub(super) sender: Sender<Signal>,
    pub(super) receiver: Receiver<Signal>,
}

impl<R: EngineReader> WatchedReader<R> {
    pub(super) fn new(reader: R) -> (Arc<Self>, ReaderSignals) {
        let (sender, receiver) = mpsc::channel();
        let reader = Self { reader, _signal: DropSignal(sender.clone()) };
        (Arc::new(reader), ReaderSignals { sender, receiver })
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
            is_space_low: AtomicBool::new(false),
            measured_at: AtomicU64::new(0),
            created_at: Instant::now(),
        }
    }

    /// The engine's reader.
    ///
    /// # Errors
    /// The error of [`refusal`](Self::refusal) while the store is not open.
    pub(super) fn reader(&self) -> Result<Arc<WatchedReader<R>>, StoreError> {
        let reader = self.reader.read().unwrap_or_else(PoisonError::into_inner);
        if self.availability() != Availability::Open {
            return Err(self.refusal());
        }
        reader.clone().ok_or_else(|| self.refusal())
    }

    /// The error of refused calls: `Unavailable` while the store is being reopened, `Closed` after
    /// it was closed for good.
    pub(super) fn refusal(&self) -> StoreError {
        match self.availability() {
            Availability::Closed => StoreErrorKind::Closed.into(),
            // `Open` is possible: the store may have been reopened since the call was refused.
            Availability::Open | Availability::Reopening => {
                StoreError::new(StoreErrorKind::Unavailable, "the store is being reopened")
            }
        }
    }

    /// Whether a reader is the current one.
    pub(super) fn is_current(&self, reader: &Arc<WatchedReader<R>>) -> bool {
        let current = self.reader.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().is_some_and(|current| Arc::ptr_eq(current, reader))
    }

    /// Accepts calls after reopening, with a new reader.
    pub(super) fn open(&self, reader: Arc<WatchedReader<R>>) {
        *self.reader.write().unwrap_or_else(PoisonError::into_inner) = Some(reader);
        self.availability.store(OPEN, Ordering::Release);
    }

    /// Refuses calls until [`open`](Self::open) is called. Returns the old reader, which running
    /// reads hold as well.
    pub(super) fn begin_reopening(&self) -> Option<Arc<WatchedReader<R>>> {
        self.availability.store(REOPENING, Ordering::Release);
        self.reader.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Refuses all further calls.
    pub(super) fn close(&self) {
        self.availability.store(CLOSED, Ordering::Release);
    }

    /// Sets the result of a measurement of free space that was made now.
    pub(super) fn set_room(&self, room: Room) {
        self.is_space_low.store(room == Room::Low, Ordering::Relaxed);
        let now = u64::try_from(self.created_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.measured_at.store(now, Ordering::Relaxed);
    }

    /// Whether the last measurement of free space is out of date.
    pub(super) fn is_stale(&self) -> bool {
        let measured_at = Duration::from_millis(self.measured_at.load(Ordering::Relaxed));
        self.created_at.elapsed().saturating_sub(measured_at) >= MEASURE_INTERVAL
    }

    pub(super) fn status(&self) -> StoreStatus {
        let room = if self.is_space_low.load(Ordering::Relaxed) { Room::Low } else { Room::Enough };
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
