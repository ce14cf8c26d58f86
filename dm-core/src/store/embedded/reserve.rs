//! Free space that is kept, so that a full disk never meets an engine in the middle of a commit.

use std::io;
use std::time::Instant;

use super::shared::MEASURE_INTERVAL;
use crate::store::status::Room;
use crate::store::write::{Outcome, Refusal, Write};

/// Space on a disk that writes may not use up.
pub(super) struct Reserve {
    /// Bytes to keep free.
    pub(super) bytes: u64,
    /// Measures how many bytes are free.
    pub(super) free: Box<dyn FnMut() -> io::Result<u64> + Send>,
}

/// The part of a reserve that may be written between two measurements.
const PARTS: u64 = 16;
/// The bytes that a batch counts for besides its payloads.
const BATCH_BYTES: u64 = 64 * 1024;

/// Knows whether there is room. It measures when a sixteenth of the reserve may have been written,
/// and once a second.
pub(super) struct Gauge {
    reserve: Reserve,
    /// Bytes that may have been written since the last measurement.
    written: u64,
    measured: Option<Instant>,
    room: Room,
}

impl Gauge {
    pub(super) const fn new(reserve: Reserve) -> Self {
        Self { reserve, written: 0, measured: None, room: Room::Enough }
    }

    /// Whether there is room for a batch. Measures if that is due.
    pub(super) fn room_for(&mut self, batch: &[Write]) -> Room {
        let payloads = batch.iter().map(payload).sum::<u64>();
        self.written = self.written.saturating_add(payloads).saturating_add(BATCH_BYTES);
        let is_old = self.measured.is_none_or(|at| at.elapsed() >= MEASURE_INTERVAL);
        if is_old || self.written >= self.reserve.bytes / PARTS {
            self.measure(payloads);
        }
        self.room
    }

    /// Measures whether there is room, and for so many bytes more.
    pub(super) fn measure(&mut self, bytes: u64) -> Room {
        (self.written, self.measured) = (bytes, Some(Instant::now()));
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
            // The last answer stands: a disk that cannot be measured is not known to be full.
            Err(error) => tracing::warn!(%error, "the free space of the store's disk cannot be measured"),
        }
        self.room
    }
}

fn payload(write: &Write) -> u64 {
    match write {
        Write::AppendMessage(append) => append.ciphertext.len() as u64,
        _ => 0,
    }
}

/// Whether a write takes room for good. Without room, devices still register, acknowledge and are
/// forgotten, which takes some bytes each and lets people read, and entries still expire, which
/// lets an engine use their space again.
const fn takes_room(write: &Write) -> bool {
    match write {
        Write::AppendMessage(_)
        | Write::OpenConversation(_)
        | Write::PublishKey(_)
        | Write::AnnounceKeys(_) => true,
        Write::Acknowledge(_) | Write::RegisterDevice(_) | Write::ForgetDevice(_) | Write::Expire(_) => false,
    }
}

/// Takes the writes out of a batch for which there is no room. The second part says for each write
/// of the batch whether it is left.
pub(super) fn admit(batch: Vec<Write>) -> (Vec<Write>, Vec<bool>) {
    let admitted: Vec<bool> = batch.iter().map(|write| !takes_room(write)).collect();
    (batch.into_iter().filter(|write| !takes_room(write)).collect(), admitted)
}

/// The outcomes of a whole batch, from those of the writes that were left in it.
pub(super) fn with_refusals(outcomes: Vec<Outcome>, admitted: &[bool]) -> Vec<Outcome> {
    let mut outcomes = outcomes.into_iter();
    let refused = || Some(Outcome::Refused(Refusal::NoRoom));
    admitted.iter().filter_map(|was| if *was { outcomes.next() } else { refused() }).collect()
}
