//! [`Reserve`], the disk space that writes must leave free, so that the disk does not become full
//! in the middle of a commit.

use std::io;
use std::time::Instant;

use super::shared::MEASURE_INTERVAL;
use crate::store::refusal::Refusal;
use crate::store::status::Room;
use crate::store::write::{Action, Change, Outcome, Write};

/// Disk space that writes must leave free.
pub(super) struct Reserve {
    /// The bytes to keep free.
    pub(super) bytes: u64,
    /// Measures the number of free bytes.
    pub(super) free: Box<dyn FnMut() -> io::Result<u64> + Send>,
}

/// The number of equal parts of the reserve. Free space is measured again when one part may have
/// been written, so writes use at most about one part before the next measurement.
const MEASUREMENTS_PER_RESERVE: u64 = 16;
/// The number of bytes that a batch is assumed to write besides its payloads.
const BATCH_OVERHEAD_BYTES: u64 = 64 * 1024;

/// The last measurement of free space. A batch repeats the measurement if it is a second old, or if
/// a sixteenth of the reserve may have been written since.
pub(super) struct Gauge {
    reserve: Reserve,
    /// The bytes that may have been written since the last measurement, including the payloads of
    /// the batch that caused this measurement.
    written: u64,
    /// The time of the last measurement; `None` before the first.
    measured_at: Option<Instant>,
    /// The result of the last measurement.
    room: Room,
}

impl Gauge {
    pub(super) const fn new(reserve: Reserve) -> Self {
        Self { reserve, written: 0, measured_at: None, room: Room::Enough }
    }

    /// Whether there is room for a batch. Measures if a measurement is due.
    pub(super) fn room_for(&mut self, batch: &[Write]) -> Room {
        let payloads = batch.iter().map(payload_len).sum::<u64>();
        self.written = self.written.saturating_add(payloads).saturating_add(BATCH_OVERHEAD_BYTES);
        let is_old = self.measured_at.is_none_or(|at| at.elapsed() >= MEASURE_INTERVAL);
        if is_old || self.written >= self.reserve.bytes / MEASUREMENTS_PER_RESERVE {
            self.measure(payloads);
        }
        self.room
    }

    /// Measures whether `bytes` can be written without using the reserve.
    pub(super) fn measure(&mut self, bytes: u64) -> Room {
        (self.written, self.measured_at) = (bytes, Some(Instant::now()));
        match (self.reserve.free)() {
            Ok(free) => {
                let is_low = free < self.reserve.bytes.saturating_add(bytes);
                let room = if is_low { Room::Low } else { Room::Enough };
                if room != self.room {
                    let reserve = self.reserve.bytes;
                    tracing::warn!(?room, free, reserve, "the room on the store's disk changed");
                }
                self.room = room;
            }
            // The last result stays, because a disk that cannot be measured need not be full.
            Err(error) => tracing::warn!(%error, "the free space of the store's disk cannot be measured"),
        }
        self.room
    }
}

/// The bytes of a write's payload and values.
fn payload_len(write: &Write) -> u64 {
    let payload = match &write.action {
        Action::AppendMessage(append) => append.ciphertext.len(),
        _ => 0,
    };
    (payload + write.changes.iter().map(Change::value_len).sum::<usize>()) as u64
}

/// Whether a write takes disk space permanently.
///
/// The other writes are admitted even if space is low. Acknowledgements, devices and gates take only
/// some bytes each, and users need them to read. Expiry and the removal of records let the engine
/// reuse space.
fn takes_room(write: &Write) -> bool {
    let stores =
        |change: &Change| matches!(change, Change::Put(put) | Change::Raise(put) if !put.value.is_empty());
    matches!(write.action, Action::AppendMessage(_) | Action::OpenConversation(_))
        || !write.posts.is_empty()
        || write.changes.iter().any(stores)
}

/// Removes the writes that take room from a batch. Returns the admitted writes, and for each write
/// of the batch whether it is admitted.
pub(super) fn admit(batch: Vec<Write>) -> (Vec<Write>, Vec<bool>) {
    let admitted: Vec<bool> = batch.iter().map(|write| !takes_room(write)).collect();
    (batch.into_iter().filter(|write| !takes_room(write)).collect(), admitted)
}

/// The outcomes of a whole batch: the given ones for its admitted writes, and refusals for the
/// others.
pub(super) fn with_refusals(outcomes: Vec<Outcome>, admitted: &[bool]) -> Vec<Outcome> {
    let mut outcomes = outcomes.into_iter();
    let refused = || Some(Outcome::Refused(Refusal::NoRoom));
    admitted.iter().filter_map(|is_admitted| if *is_admitted { outcomes.next() } else { refused() }).collect()
}
