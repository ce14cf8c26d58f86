//! What was delivered to a client that knows nothing of positions.
//!
//! Such a client never acknowledges. What was written to its socket counts as acknowledged once it answers a ping that
//! was written later: TCP keeps the order, so it has read what came before.

use dm_core::InboxSeq;

/// Deliveries without an answered ping behind them, before no more are made.
const MOST: usize = 512;
/// Entries acknowledged in one commit.
const AT_ONCE: usize = 256;

/// The deliveries of one connection that are not acknowledged yet.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed {
    /// Written after the last ping.
    written: Vec<InboxSeq>,
    /// Written before the last ping, which is not answered yet.
    pinged: Vec<InboxSeq>,
    /// Proven to have arrived.
    arrived: Vec<InboxSeq>,
    acknowledging: bool,
}

impl Unconfirmed {
    pub(super) const fn has_room(&self) -> bool {
        self.written.len() + self.pinged.len() + self.arrived.len() < MOST
    }

    pub(super) fn wrote(&mut self, seq: InboxSeq) {
        self.written.push(seq);
    }

    /// Whether a ping would prove something.
    pub(super) const fn wants_ping(&self) -> bool {
        !self.written.is_empty()
    }

    pub(super) fn pinged(&mut self) {
        self.pinged.append(&mut self.written);
        self.written = Vec::new();
    }

    pub(super) fn answered(&mut self) {
        self.arrived.append(&mut self.pinged);
        self.pinged = Vec::new();
    }

    /// What to acknowledge next: one commit at a time, with whatever has arrived by then.
    pub(super) fn take(&mut self) -> Option<Vec<InboxSeq>> {
        if self.acknowledging || self.arrived.is_empty() {
            return None;
        }
        self.acknowledging = true;
        let rest = self.arrived.split_off(self.arrived.len().min(AT_ONCE));
        Some(std::mem::replace(&mut self.arrived, rest))
    }

    pub(super) const fn acknowledged(&mut self) {
        self.acknowledging = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seqs(range: std::ops::RangeInclusive<u64>) -> Vec<InboxSeq> {
        range.map(InboxSeq::new).collect()
    }

    #[test]
    fn only_what_was_written_before_an_answered_ping_is_acknowledged() {
        let mut unconfirmed = Unconfirmed::default();
        seqs(1..=2).into_iter().for_each(|seq| unconfirmed.wrote(seq));
        unconfirmed.pinged();
        unconfirmed.wrote(InboxSeq::new(3));
        assert_eq!(unconfirmed.take(), None);
        unconfirmed.answered();
        assert_eq!(unconfirmed.take(), Some(seqs(1..=2)));
        assert!(unconfirmed.wants_ping());
        unconfirmed.pinged();
        unconfirmed.answered();
        assert_eq!(unconfirmed.take(), None, "one commit at a time");
        unconfirmed.acknowledged();
        assert_eq!(unconfirmed.take(), Some(seqs(3..=3)));
    }

    #[test]
    fn a_client_that_answers_no_ping_is_sent_no_more() {
        let mut unconfirmed = Unconfirmed::default();
        for seq in seqs(1..=512) {
            assert!(unconfirmed.has_room());
            unconfirmed.wrote(seq);
        }
        assert!(!unconfirmed.has_room());
        unconfirmed.pinged();
        unconfirmed.answered();
        assert_eq!(unconfirmed.take().unwrap().len(), 256);
        assert!(unconfirmed.has_room());
    }
}
