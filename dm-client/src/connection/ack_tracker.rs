//! [`AckTracker`] tracks which deliveries the caller has handled, and returns the number up to
//! which the client may acknowledge.
//!
//! The tracker ignores a repeated delivery. It remembers the numbers of deliveries, and one number
//! up to which it ignores every delivery. This number rises to the server's cursor, and to the
//! oldest remembered number when too many numbers are remembered.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::numbers::InboxSeq;

/// Maximum number of deliveries that the tracker remembers, to recognize a repeated one. By
/// default, a server sends at most 256 deliveries without an acknowledgement.
const MAX_DELIVERED: usize = 4_096;

/// Tracks deliveries by their inbox numbers. The background task adds deliveries, and the receipts
/// of the caller mark them as handled.
#[derive(Debug, Default)]
pub(super) struct AckTracker {
    state: Mutex<State>,
    /// Wakes [`wait_for_handled`](Self::wait_for_handled) each time the caller has handled a
    /// delivery.
    handled: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Every further delivery with this number or a lower one is ignored.
    ignored_up_to: InboxSeq,
    /// The delivered numbers above `ignored_up_to`.
    delivered: BTreeSet<InboxSeq>,
    /// The numbers of deliveries that the caller has not handled yet. Some may be at or below
    /// `ignored_up_to`.
    outstanding: BTreeSet<InboxSeq>,
}

impl AckTracker {
    /// Ignores deliveries up to the server's cursor for the device, because all entries up to the
    /// cursor are acknowledged.
    pub(super) fn resume_after(&self, cursor: InboxSeq) {
        self.lock().ignore_up_to(cursor);
    }

    /// Adds a delivery. Returns whether the delivery is new: its number is not ignored and was not
    /// added before. No acknowledgement includes a new delivery until the caller has
    /// [handled](Self::mark_handled) it.
    ///
    /// A number can be new although a higher number was added before. So the client loses no entry
    /// if the server delivers out of order.
    pub(super) fn add(&self, seq: InboxSeq) -> bool {
        let mut state = self.lock();
        if seq <= state.ignored_up_to || !state.delivered.insert(seq) {
            return false;
        }
        state.outstanding.insert(seq);
        if state.delivered.len() > MAX_DELIVERED
            && let Some(oldest) = state.delivered.first().copied()
        {
            state.ignore_up_to(oldest);
        }
        true
    }

    /// Records that the caller has handled a delivery.
    pub(super) fn mark_handled(&self, seq: InboxSeq) {
        self.lock().outstanding.remove(&seq);
        self.handled.notify_one();
    }

    /// The number up to which every delivery is handled:
    ///
    /// - the number of the last remembered delivery before the first unhandled one, or of the last
    ///   one at all if all are handled;
    /// - if no such delivery is remembered, `ignored_up_to`, or the number before the first
    ///   unhandled delivery if that is lower.
    ///
    /// Above `ignored_up_to`, the result is always the number of a delivery and never a number
    /// between two deliveries: the server may deliver the missing entries later, or report them as
    /// a gap.
    pub(super) fn handled_up_to(&self) -> InboxSeq {
        let state = self.lock();
        let handled = match state.outstanding.first() {
            Some(first) => state.delivered.range(..first).next_back(),
            None => state.delivered.last(),
        };
        // An unhandled number is at least 1, so the subtraction always gives the number before it.
        handled.copied().unwrap_or_else(|| match state.outstanding.first() {
            Some(first) => state.ignored_up_to.min(InboxSeq::new(first.get().saturating_sub(1))),
            None => state.ignored_up_to,
        })
    }

    /// Waits until the caller has handled a delivery since the last call.
    pub(super) async fn wait_for_handled(&self) {
        self.handled.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock, so a poisoned lock is no problem.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ignore_up_to(&mut self, seq: InboxSeq) {
        if seq > self.ignored_up_to {
            self.ignored_up_to = seq;
            self.delivered = self.delivered.split_off(&seq.next());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seq(number: u64) -> InboxSeq {
        InboxSeq::new(number)
    }

    fn delivered(numbers: impl IntoIterator<Item = u64>) -> AckTracker {
        let acks = AckTracker::default();
        for number in numbers {
            assert!(acks.add(seq(number)));
        }
        acks
    }

    #[test]
    fn a_number_is_acknowledged_after_all_lower_ones_are_handled() {
        let acks = delivered([3, 4, 9]);
        assert_eq!(acks.handled_up_to(), seq(0));
        acks.mark_handled(seq(4));
        acks.mark_handled(seq(9));
        assert_eq!(acks.handled_up_to(), seq(0));
        acks.mark_handled(seq(3));
        assert_eq!(acks.handled_up_to(), seq(9));
        assert!(acks.add(seq(20)));
        assert_eq!(acks.handled_up_to(), seq(9));
    }

    #[test]
    fn a_number_is_new_once_in_any_order() {
        let acks = delivered([5, 2]);
        assert!(!acks.add(seq(5)));
        assert!(!acks.add(seq(2)));
        acks.mark_handled(seq(5));
        assert!(!acks.add(seq(5)));
        assert!(acks.add(seq(3)));
    }

    #[test]
    fn a_number_up_to_the_servers_cursor_is_not_new() {
        let acks = delivered([]);
        acks.resume_after(seq(7));
        assert!(!acks.add(seq(7)));
        assert_eq!(acks.handled_up_to(), seq(7));
        assert!(acks.add(seq(8)));
        acks.resume_after(seq(0));
        assert!(!acks.add(seq(8)));
    }

    #[test]
    fn many_unhandled_deliveries_take_bounded_memory_and_stop_the_cursor() {
        let many = u64::try_from(MAX_DELIVERED).unwrap() * 3;
        let acks = delivered(1..=many);
        assert_eq!(acks.lock().delivered.len(), MAX_DELIVERED);
        assert_eq!(acks.handled_up_to(), seq(0));
        for number in 1..=many {
            acks.mark_handled(seq(number));
        }
        assert_eq!(acks.handled_up_to(), seq(many));
        assert!(!acks.add(seq(1)));
    }
}
