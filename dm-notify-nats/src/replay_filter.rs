//! [`ReplayFilter`]: accepts each frame with a stamp once, and only while the frame is new. A
//! *replay* is a recorded frame that an attacker sends again.
//!
//! A *stamp* is the sender's time and the frame's number, which ascends for each sender. For each
//! sender, a receiver keeps a [`ReplayWindow`] of numbers. The memory of a window does not depend
//! on the rate of frames. The receiver refuses a frame whose time differs from the receiver's time
//! by more than [`MAX_AGE`]. It also refuses a frame that was sent before the receiver started,
//! because it may have accepted this frame before a restart.
//!
//! Sender and receiver use the time of their process, which does not change when the machine's
//! clock is set. After a node is verified ([`challenge`](crate::challenge)), the offset between the
//! two clocks is known, and the sender's time is converted to the receiver's clock.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dm_core::Timestamp;
use dm_core::notify::NodeId;
use dm_core::time::{Clock as _, SystemClock};

use crate::codec::Stamp;
use crate::replay_window::{NumberRefusal, ReplayWindow};

/// The maximum difference between a frame's time and this node's time. Until a node is verified,
/// the offset between the two clocks is a part of this difference.
const MAX_AGE: Duration = Duration::from_secs(60);
/// An accepted frame may have been sent before this node's start, but by no more than this
/// duration. Without this tolerance, two nodes that have just started would refuse each other's
/// first claims: clocks of nodes that are not verified differ a little, and times are whole
/// milliseconds.
const START_TOLERANCE: Duration = Duration::from_secs(1);
/// The maximum error of a frame's computed age, because times are whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(2);
/// The maximum number of senders that are remembered. Each takes 1 KiB. If there is no room for a
/// new sender, the sender that was silent for longest is forgotten, unless one of its frames could
/// still be replayed. In that case the frames of the new sender are refused.
const MAX_SENDERS: usize = 1_024;

/// The reason why a frame is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotFresh {
    /// The frame is too old, or is from a clock that is too far ahead, or there is no room to
    /// remember its sender.
    Stale,
    /// The frame was accepted before.
    Repeated,
}

/// Decides which frames with a stamp are accepted, and remembers the accepted frames.
#[derive(Debug)]
pub(crate) struct ReplayFilter {
    started: ProcessStart,
    senders: Mutex<HashMap<NodeId, Sender>>,
}

/// The start of this process: the machine's time `at`, and the moment `instant`, from which elapsed
/// time is measured.
#[derive(Debug)]
struct ProcessStart {
    at: Timestamp,
    instant: Instant,
}

/// A node that sends frames.
#[derive(Debug)]
struct Sender {
    window: ReplayWindow,
    /// The offset of the node's clock; `None` until the node is verified.
    clock: Option<ClockOffset>,
    /// The time at which the node's last frame was accepted, by this node's clock.
    last_accepted: Timestamp,
}

/// The offset between the clocks of a node and of this node: both times at the same moment.
#[derive(Clone, Copy, Debug)]
struct ClockOffset {
    remote_time: Timestamp,
    local_time: Timestamp,
}

impl ReplayFilter {
    pub(crate) fn new() -> Self {
        let started = ProcessStart { at: SystemClock.now(), instant: Instant::now() };
        Self { started, senders: Mutex::default() }
    }

    /// The time of this process: the machine's time at its start, plus the time elapsed since.
    pub(crate) fn now(&self) -> Timestamp {
        self.started.at.after(self.started.instant.elapsed())
    }

    /// Accepts a frame, or refuses it if it is stale or was accepted before.
    pub(crate) fn accept(&self, from: NodeId, stamp: Stamp) -> Result<(), NotFresh> {
        self.accept_at(from, stamp, self.now())
    }

    /// Accepts a reply to a challenge, and marks its sender as verified. The reply was sent just
    /// now, so its time gives the offset between the clocks. Its age is not checked.
    pub(crate) fn accept_verified(&self, from: NodeId, stamp: Stamp) -> Result<(), NotFresh> {
        self.accept_verified_at(from, stamp, self.now())
    }

    /// Whether a node was verified since this node started.
    pub(crate) fn is_verified(&self, node: NodeId) -> bool {
        self.lock().get(&node).is_some_and(|sender| sender.clock.is_some())
    }

    /// Whether a frame's number is higher than the numbers of all frames that were accepted from
    /// its node.
    pub(crate) fn is_newest(&self, from: NodeId, stamp: Stamp) -> bool {
        self.lock().get(&from).is_none_or(|sender| stamp.number > sender.window.newest())
    }

    /// The age of a frame of a verified node; zero for other nodes. The result is never above the
    /// true age. It is too low by the transfer time of the reply that verified the node.
    pub(crate) fn age(&self, from: NodeId, stamp: Stamp) -> Duration {
        self.age_at(from, stamp, self.now())
    }

    fn age_at(&self, from: NodeId, stamp: Stamp, now: Timestamp) -> Duration {
        let clock = self.lock().get(&from).and_then(|sender| sender.clock);
        let sent = clock.and_then(|clock| clock.to_local(stamp.at)).unwrap_or(now);
        Duration::from_millis(now.as_millis().saturating_sub(sent.as_millis())).saturating_sub(ROUNDING)
    }

    fn accept_at(&self, from: NodeId, stamp: Stamp, now: Timestamp) -> Result<(), NotFresh> {
        let mut senders = self.lock();
        let clock = senders.get(&from).and_then(|sender| sender.clock);
        let sent = clock.map_or(Some(stamp.at), |clock| clock.to_local(stamp.at)).ok_or(NotFresh::Stale)?;
        if sent < now.before(MAX_AGE).max(self.started.at.before(START_TOLERANCE))
            || sent > now.after(MAX_AGE)
        {
            return Err(NotFresh::Stale);
        }
        accept_number(&mut senders, from, stamp.number, now).map(drop)
    }

    fn accept_verified_at(&self, from: NodeId, stamp: Stamp, now: Timestamp) -> Result<(), NotFresh> {
        let mut senders = self.lock();
        let sender = accept_number(&mut senders, from, stamp.number, now)?;
        sender.clock = Some(ClockOffset { remote_time: stamp.at, local_time: now });
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, Sender>> {
        // Nothing panics while this is locked, so the map is complete even if the lock is poisoned.
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClockOffset {
    /// Converts a time of the node to this node's clock.
    fn to_local(self, remote: Timestamp) -> Option<Timestamp> {
        let local = self.local_time.as_millis().checked_add(remote.as_millis())?;
        local.checked_sub(self.remote_time.as_millis()).map(Timestamp::from_millis)
    }
}

/// Accepts a frame's number, or refuses it if it was accepted before or is below the window.
/// Returns the frame's sender.
fn accept_number(
    senders: &mut HashMap<NodeId, Sender>,
    from: NodeId,
    number: u64,
    now: Timestamp,
) -> Result<&mut Sender, NotFresh> {
    if !senders.contains_key(&from) {
        make_room(senders, now)?;
        let sender = Sender { window: ReplayWindow::new(number), clock: None, last_accepted: now };
        return Ok(senders.entry(from).or_insert(sender));
    }
    let sender = senders.get_mut(&from).ok_or(NotFresh::Stale)?;
    sender.window.accept(number).map_err(|reason| match reason {
        NumberRefusal::Repeated => NotFresh::Repeated,
        NumberRefusal::TooOld => NotFresh::Stale,
    })?;
    sender.last_accepted = now;
    Ok(sender)
}

/// Makes room for one sender. Fails if all senders must be remembered.
fn make_room(senders: &mut HashMap<NodeId, Sender>, now: Timestamp) -> Result<(), NotFresh> {
    if senders.len() < MAX_SENDERS {
        return Ok(());
    }
    // The time of a frame may have been ahead by `MAX_AGE` when the frame was accepted. So the
    // frame is stale only after twice this time.
    let forgettable = senders.iter().filter(|(_, sender)| sender.last_accepted < now.before(2 * MAX_AGE));
    let silent = forgettable.min_by_key(|(_, sender)| sender.last_accepted).map(|(node, _)| *node);
    silent.and_then(|node| senders.remove(&node)).map(drop).ok_or(NotFresh::Stale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay_window::FRAMES;

    const NODE: NodeId = NodeId::from_bytes([1; 8]);
    const STARTED: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const MILLISECOND: Duration = Duration::from_millis(1);

    fn replay_filter() -> ReplayFilter {
        let started = ProcessStart { at: STARTED, instant: Instant::now() };
        ReplayFilter { started, senders: Mutex::default() }
    }

    fn stamp(at: Timestamp, number: u64) -> Stamp {
        Stamp { at, number }
    }

    #[test]
    fn a_frame_is_accepted_once_and_only_while_it_is_new() {
        let replay_filter = replay_filter();
        let now = STARTED.after(2 * MAX_AGE);
        let accept = |node, at, number| replay_filter.accept_at(node, stamp(at, number), now);
        let (early, late) = (now.before(MAX_AGE), now.after(MAX_AGE));
        assert_eq!(accept(NODE, now, 1), Ok(()));
        assert_eq!(accept(NODE, now, 1), Err(NotFresh::Repeated));
        assert_eq!(accept(NodeId::from_bytes([2; 8]), now, 1), Ok(()), "a frame of another node");
        assert_eq!(accept(NODE, early, 2), Ok(()));
        assert_eq!(accept(NODE, late, 3), Ok(()));
        assert_eq!(accept(NODE, early.before(MILLISECOND), 4), Err(NotFresh::Stale));
        assert_eq!(accept(NODE, late.after(MILLISECOND), 5), Err(NotFresh::Stale));
    }

    #[test]
    fn a_frame_from_before_the_start_is_refused() {
        let replay_filter = replay_filter();
        let (now, first) = (STARTED.after(MILLISECOND), STARTED.before(START_TOLERANCE));
        assert_eq!(
            replay_filter.accept_at(NODE, stamp(first.before(MILLISECOND), 1), now),
            Err(NotFresh::Stale)
        );
        assert_eq!(replay_filter.accept_at(NODE, stamp(first, 2), now), Ok(()));
    }

    #[test]
    fn a_frame_is_accepted_once_at_any_rate() {
        let replay_filter = replay_filter();
        let frames = 10 * FRAMES;
        for number in 0..frames {
            assert_eq!(replay_filter.accept_at(NODE, stamp(STARTED, number), STARTED), Ok(()));
        }
        for number in 0..frames {
            assert!(replay_filter.accept_at(NODE, stamp(STARTED, number), STARTED).is_err(), "{number}");
        }
    }

    #[test]
    fn frames_of_a_verified_node_are_accepted_by_its_own_clock() {
        let hour = Duration::from_secs(3_600);
        for theirs in [STARTED.before(hour), STARTED.after(hour)] {
            let replay_filter = replay_filter();
            let accept = |at, number, now| replay_filter.accept_at(NODE, stamp(at, number), now);
            assert_eq!(accept(theirs, 1, STARTED), Err(NotFresh::Stale));
            assert!(!replay_filter.is_verified(NODE) && replay_filter.is_newest(NODE, stamp(theirs, 1)));
            assert_eq!(replay_filter.accept_verified_at(NODE, stamp(theirs, 2), STARTED), Ok(()));
            assert!(replay_filter.is_verified(NODE));
            assert!(!replay_filter.is_newest(NODE, stamp(theirs, 2)));
            assert_eq!(accept(theirs, 3, STARTED), Ok(()));
            assert_eq!(accept(theirs, 3, STARTED), Err(NotFresh::Repeated));
            assert_eq!(
                accept(theirs.before(2 * START_TOLERANCE), 4, STARTED),
                Err(NotFresh::Stale),
                "before the start"
            );
            let late = STARTED.after(MAX_AGE);
            assert_eq!(accept(theirs, 5, late), Ok(()));
            assert_eq!(accept(theirs, 6, late.after(MILLISECOND)), Err(NotFresh::Stale));
            assert_eq!(
                replay_filter.accept_verified_at(NODE, stamp(theirs, 5), late),
                Err(NotFresh::Repeated),
                "a reply that was accepted before"
            );
        }
    }

    #[test]
    fn the_age_of_a_frame_is_known_for_verified_nodes() {
        let replay_filter = replay_filter();
        let theirs = STARTED.after(Duration::from_secs(3_600));
        let age = |at, now| replay_filter.age_at(NODE, stamp(at, 2), now);
        assert_eq!(age(STARTED, STARTED.after(MAX_AGE)), Duration::ZERO, "not verified");
        assert_eq!(replay_filter.accept_verified_at(NODE, stamp(theirs, 1), STARTED), Ok(()));
        assert_eq!(age(theirs, STARTED.after(MAX_AGE)), MAX_AGE - ROUNDING);
        assert_eq!(age(theirs, STARTED.after(MILLISECOND)), Duration::ZERO);
        assert_eq!(age(theirs.after(MAX_AGE), STARTED), Duration::ZERO, "an age is never negative");
    }

    #[test]
    fn memory_is_bounded_and_no_sender_is_forgotten_while_its_frames_can_be_replayed() {
        let replay_filter = replay_filter();
        let node = |n: usize| NodeId::from_bytes((n as u64).to_be_bytes());
        for n in 0..MAX_SENDERS {
            assert_eq!(replay_filter.accept_at(node(n), stamp(STARTED, 0), STARTED), Ok(()));
        }
        assert_eq!(
            replay_filter.accept_at(node(MAX_SENDERS), stamp(STARTED, 0), STARTED),
            Err(NotFresh::Stale)
        );
        let later = STARTED.after(2 * MAX_AGE).after(MILLISECOND);
        assert_eq!(
            replay_filter.accept_at(node(0), stamp(later, 1), later),
            Ok(()),
            "a later frame of a node that is remembered"
        );
        assert_eq!(replay_filter.accept_at(node(MAX_SENDERS), stamp(later, 0), later), Ok(()));
        let senders = replay_filter.lock();
        assert_eq!(senders.len(), MAX_SENDERS);
        assert!(senders.contains_key(&node(0)));
    }
}
