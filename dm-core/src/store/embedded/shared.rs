//! The state that the handles of an embedded store share with its commit thread.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::engine::EngineReader;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::status::{Availability, Room, StoreStatus};

/// The age at which a measurement of free space is repeated.
pub(super) const MEASURE_INTERVAL: Duration = Duration::from_secs(1);

/// The status of a store, and its reading half while it is open.
pub(super) struct Shared<R> {
    reader: RwLock<Option<Arc<WatchedReader<R>>>>,
    availability: AtomicU8,
    low: AtomicBool,
    /// The time of the last measurement of free space, in milliseconds since `began`.
    measured: AtomicU64,
    began: Instant,
}

/// A reading half that sends a signal when it is dropped.
pub(super) struct WatchedReader<R> {
    // Fields are dropped in their order, so the reader is dropped before the signal is sent.
    reader: R,
    _signal: DropSignal,
}

/// The signals to the thread that reopens a store.
pub(super) enum Signal {
    /// The old reading half is dropped.
    ReaderGone,
    /// The last handle is dropped.
    Stop,
}

struct DropSignal(Sender<Signal>);

impl Drop for DropSignal {
    fn drop(&mut self) {
        // Without a receiver, the store is not being reopened.
        let _ = self.0.send(Signal::ReaderGone);
    }
}

/// Both ends of the channel of a [`WatchedReader`].
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
    /// [`refusal`](Self::refusal) while the store is not open.
    pub(super) fn reader(&self) -> Result<Arc<WatchedReader<R>>, StoreError> {
        let reader = self.reader.read().unwrap_or_else(PoisonError::into_inner);
        if self.availability() != Availability::Open {
            return Err(self.refusal());
        }
        reader.clone().ok_or_else(|| self.refusal())
    }

    /// The error of refused calls: `Unavailable` while the store is being reopened, `Closed` when
    /// it stays closed.
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

    /// Opens the store again, with a new reading half.
    pub(super) fn open(&self, reader: Arc<WatchedReader<R>>) {
        *self.reader.write().unwrap_or_else(PoisonError::into_inner) = Some(reader);
        self.availability.store(OPEN, Ordering::Release);
    }

    /// Refuses calls until [`open`](Self::open). Returns the old reading half, which running reads
    /// hold as well.
    pub(super) fn reopening(&self) -> Option<Arc<WatchedReader<R>>> {
        self.availability.store(REOPENING, Ordering::Release);
        self.reader.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Refuses all further calls.
    pub(super) fn close(&self) {
        self.availability.store(CLOSED, Ordering::Release);
    }

    pub(super) fn set_room(&self, room: Room) {
        self.low.store(room == Room::Low, Ordering::Relaxed);
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.measured.store(now, Ordering::Relaxed);
    }

    /// Whether the last measurement of free space is due to be repeated.
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
