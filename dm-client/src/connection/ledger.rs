//! Which positions were handed to the caller, which of them are handled, and so what may be acknowledged.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// Positions remembered to tell a repeat from something new.
const REMEMBERED: usize = 4_096;

/// Shared by the task that reads the socket and the receipts that the caller holds.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    state: Mutex<State>,
    /// Rung when something was handled.
    handled: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Nothing at or below this is taken any more.
    floor: u64,
    /// What was taken above the floor.
    taken: BTreeSet<u64>,
    /// What was taken and is not handled yet.
    outstanding: BTreeSet<u64>,
}

impl Ledger {
    /// The server's cursor for the device: what it says is acknowledged is not taken again.
    pub(super) fn resume_after(&self, cursor: u64) {
        self.lock().raise_floor(cursor);
    }

    /// Whether a position is new. If so, it has to be [handled](Self::handle) before anything from it on is
    /// acknowledged.
    ///
    /// A position below one already taken may be new: a server that mixes up the order shall not make the client
    /// lose something.
    pub(super) fn take(&self, position: u64) -> bool {
        let mut state = self.lock();
        if position <= state.floor || !state.taken.insert(position) {
            return false;
        }
        state.outstanding.insert(position);
        if state.taken.len() > REMEMBERED
            && let Some(oldest) = state.taken.first().copied()
        {
            state.raise_floor(oldest);
        }
        true
    }

    /// The caller is done with a position.
    pub(super) fn handle(&self, position: u64) {
        self.lock().outstanding.remove(&position);
        self.handled.notify_one();
    }

    /// Up to where everything is handled: always a position that was taken, so that what is missing below it is left
    /// to the server, which may still deliver it or say that it is gone.
    pub(super) fn handled_up_to(&self) -> u64 {
        let state = self.lock();
        let handled = match state.outstanding.first() {
            Some(first) => state.taken.range(..first).next_back(),
            None => state.taken.last(),
        };
        handled.copied().unwrap_or_else(|| match state.outstanding.first() {
            Some(first) => state.floor.min(first.saturating_sub(1)),
            None => state.floor,
        })
    }

    /// Waits until something is handled.
    pub(super) async fn changed(&self) {
        self.handled.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that could panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn raise_floor(&mut self, floor: u64) {
        if floor > self.floor {
            self.floor = floor;
            self.taken = self.taken.split_off(&floor.saturating_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(positions: impl IntoIterator<Item = u64>) -> Ledger {
        let ledger = Ledger::default();
        for position in positions {
            assert!(ledger.take(position));
        }
        ledger
    }

    #[test]
    fn nothing_is_acknowledged_before_everything_below_is_handled() {
        let ledger = taken([3, 4, 9]);
        assert_eq!(ledger.handled_up_to(), 0);
        ledger.handle(4);
        ledger.handle(9);
        assert_eq!(ledger.handled_up_to(), 0);
        ledger.handle(3);
        assert_eq!(ledger.handled_up_to(), 9);
        assert!(ledger.take(20));
        assert_eq!(ledger.handled_up_to(), 9);
    }

    #[test]
    fn a_position_is_taken_once_in_whatever_order() {
        let ledger = taken([5, 2]);
        assert!(!ledger.take(5));
        assert!(!ledger.take(2));
        ledger.handle(5);
        assert!(!ledger.take(5));
        assert!(ledger.take(3));
    }

    #[test]
    fn what_the_server_has_as_acknowledged_is_not_taken() {
        let ledger = taken([]);
        ledger.resume_after(7);
        assert!(!ledger.take(7));
        assert_eq!(ledger.handled_up_to(), 7);
        assert!(ledger.take(8));
        ledger.resume_after(0);
        assert!(!ledger.take(8));
    }

    #[test]
    fn memory_is_bounded_and_what_is_not_handled_still_holds_back() {
        let many = u64::try_from(REMEMBERED).unwrap() * 3;
        let ledger = taken(1..=many);
        assert_eq!(ledger.lock().taken.len(), REMEMBERED);
        assert_eq!(ledger.handled_up_to(), 0);
        for position in 1..=many {
            ledger.handle(position);
        }
        assert_eq!(ledger.handled_up_to(), many);
        assert!(!ledger.take(1));
    }
}
