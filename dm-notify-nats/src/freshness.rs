//! Frames that end sessions are taken once, and only while they are new, so that a copy of one has no effect.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dm_core::{NodeId, Timestamp};

use crate::codec::Stamp;

/// How far a frame's time may be from this node's clock. Nodes whose clocks differ by more do not hear each other's
/// orders and claims, which is counted; hints have no time.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);
/// Frames remembered, at most: 40 bytes each. Past this the oldest is forgotten before its time.
const MOST: usize = 16 * 1024;

/// Why a frame is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotFresh {
    /// It is too old, or from a clock that is ahead.
    Stale,
    /// It was taken before.
    Repeated,
}

/// The frames that were taken lately.
#[derive(Debug, Default)]
pub(crate) struct Freshness(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    frames: HashSet<(NodeId, u64)>,
    /// The same, in the order in which they came.
    by_arrival: VecDeque<(Timestamp, (NodeId, u64))>,
}

impl Freshness {
    /// Takes a frame, or says why not.
    pub(crate) fn take(&self, from: NodeId, stamp: Stamp, now: Timestamp) -> Result<(), NotFresh> {
        if stamp.at < now.before(WINDOW) || stamp.at > now.after(WINDOW) {
            return Err(NotFresh::Stale);
        }
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.forget(now);
        if !taken.frames.insert((from, stamp.count)) {
            return Err(NotFresh::Repeated);
        }
        taken.by_arrival.push_back((now, (from, stamp.count)));
        Ok(())
    }
}

impl Taken {
    /// Makes room, and forgets what would be stale by now: a frame may be from a clock that is ahead by the window.
    fn forget(&mut self, now: Timestamp) {
        while let Some((arrived, frame)) = self.by_arrival.front() {
            if self.by_arrival.len() < MOST && *arrived >= now.before(2 * WINDOW) {
                break;
            }
            self.frames.remove(frame);
            self.by_arrival.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId::from_bytes([1; 8]);
    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn stamp(at: Timestamp, count: u64) -> Stamp {
        Stamp { at, count }
    }

    #[test]
    fn a_frame_is_taken_once_and_only_while_it_is_new() {
        let freshness = Freshness::default();
        let (early, late) = (NOW.before(WINDOW), NOW.after(WINDOW));
        assert_eq!(freshness.take(NODE, stamp(NOW, 1), NOW), Ok(()));
        assert_eq!(freshness.take(NODE, stamp(NOW, 1), NOW), Err(NotFresh::Repeated));
        assert_eq!(freshness.take(NodeId::from_bytes([2; 8]), stamp(NOW, 1), NOW), Ok(()), "another node's");
        assert_eq!(freshness.take(NODE, stamp(early, 2), NOW), Ok(()));
        assert_eq!(freshness.take(NODE, stamp(late, 3), NOW), Ok(()));
        let millisecond = Duration::from_millis(1);
        assert_eq!(freshness.take(NODE, stamp(early.before(millisecond), 4), NOW), Err(NotFresh::Stale));
        assert_eq!(freshness.take(NODE, stamp(late.after(millisecond), 5), NOW), Err(NotFresh::Stale));
    }

    #[test]
    fn a_frame_is_remembered_for_as_long_as_it_is_not_stale() {
        let freshness = Freshness::default();
        let ahead = NOW.after(WINDOW);
        assert_eq!(freshness.take(NODE, stamp(ahead, 1), NOW), Ok(()));
        let last = ahead.after(WINDOW);
        assert_eq!(freshness.take(NODE, stamp(ahead, 1), last), Err(NotFresh::Repeated));
        let later = last.after(Duration::from_millis(1));
        assert_eq!(freshness.take(NODE, stamp(ahead, 1), later), Err(NotFresh::Stale));
        assert_eq!(freshness.take(NODE, stamp(later, 2), later), Ok(()));
        assert_eq!(freshness.0.lock().unwrap().frames.len(), 1, "forgotten by then");
    }

    #[test]
    fn memory_is_bounded() {
        let freshness = Freshness::default();
        for count in 0..2 * MOST as u64 {
            assert_eq!(freshness.take(NODE, stamp(NOW, count), NOW), Ok(()));
        }
        let taken = freshness.0.lock().unwrap();
        assert_eq!((taken.frames.len(), taken.by_arrival.len()), (MOST, MOST));
    }
}
