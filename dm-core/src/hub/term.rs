//! Device sessions of all nodes, and their ranks.

use std::time::Duration;

use crate::device::DeviceId;
use crate::disconnect::NodeId;
use crate::time::Timestamp;
use crate::user::UserId;

/// A device session, of all nodes: the node, and a number that the node gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    /// The node that has it.
    pub node: NodeId,
    /// Which of the node's it is, counted from the node's start.
    pub number: u64,
}

/// The rank of a device session among those of its device: the one with the highest stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    /// The time at which it began, by its node's clock, or just after that of a session it took
    /// over.
    pub at: Timestamp,
    /// The session, which decides between equal times.
    pub session: SessionId,
}

/// A device session says that it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionClaim {
    /// The user whose device it is.
    pub user: UserId,
    /// The device.
    pub device: DeviceId,
    /// The session's rank.
    pub term: Term,
    /// The time since it began, by its node, in whole milliseconds.
    pub age: Duration,
}

impl Term {
    /// The term of the same session above another's, if there is one.
    pub(super) fn above(self, other: Self) -> Option<Self> {
        let after = |at: Timestamp| Self { at, ..self };
        let next = other.at.as_millis().checked_add(1).map(Timestamp::from_millis);
        [Some(self), Some(after(other.at)), next.map(after)].into_iter().flatten().find(|term| *term > other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_that_is_raised_is_higher_also_than_one_of_the_same_session() {
        let term = |at, number| Term {
            at: Timestamp::from_millis(at),
            session: SessionId { node: NodeId::from_bytes([7; 8]), number },
        };
        for (own, other) in [(1, 1), (1, 2), (2, 1)] {
            for (at, over) in [(5, 5), (5, 9), (9, 5)] {
                let raised = term(at, own).above(term(over, other)).unwrap();
                assert!(raised > term(over, other), "{raised:?} over {over}");
                assert_eq!(raised.session.number, own);
            }
        }
        assert_eq!(term(5, 1).above(term(u64::MAX, 1)), None, "nothing is above the last time");
    }
}
