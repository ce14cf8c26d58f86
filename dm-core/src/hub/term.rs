//! [`Term`], the rank of a device session among the sessions of its device on all nodes. Nodes send
//! terms to each other in claims ([`SessionClaim`]).

use std::time::Duration;

use crate::device::DeviceId;
use crate::disconnect::NodeId;
use crate::time::Timestamp;
use crate::user::UserId;

/// The id of a device session, unique over all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    /// The node that has the session.
    pub node: NodeId,
    /// The number of the session on its node: 0, 1, 2 … since the node's start.
    pub number: u64,
}

/// The rank of a device session among the sessions of its device: the session with the highest term
/// stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    /// The time at which the session started, by its node's clock. If the term was raised above the
    /// term of another session, it is a later time.
    pub at: Timestamp,
    /// The session. Terms with the same time are in the order of their sessions.
    pub session: SessionId,
}

/// The claim of a device session to be the newest of its device, as nodes send it to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionClaim {
    /// The owner of the device.
    pub user: UserId,
    /// The device.
    pub device: DeviceId,
    /// The term of the session.
    pub term: Term,
    /// The time since the session started, measured by its node, in whole milliseconds.
    pub age: Duration,
}

impl Term {
    /// This term if it is above `other`. Otherwise the lowest term of the same session that is
    /// above `other`; `None` if there is none.
    pub(super) fn raised_above(self, other: Self) -> Option<Self> {
        let after = |at: Timestamp| Self { at, ..self };
        // If this term is not above `other`, the three times do not fall, so the first term above
        // `other` is the lowest one.
        let next = other.at.as_millis().checked_add(1).map(Timestamp::from_millis);
        [Some(self), Some(after(other.at)), next.map(after)].into_iter().flatten().find(|term| *term > other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raised_term_is_above_the_other_term_and_keeps_its_session() {
        let term = |at, number| Term {
            at: Timestamp::from_millis(at),
            session: SessionId { node: NodeId::from_bytes([7; 8]), number },
        };
        for (own, other) in [(1, 1), (1, 2), (2, 1)] {
            for (at, over) in [(5, 5), (5, 9), (9, 5)] {
                let raised = term(at, own).raised_above(term(over, other)).unwrap();
                assert!(raised > term(over, other), "{raised:?} over {over}");
                assert_eq!(raised.session.number, own);
            }
        }
        assert_eq!(term(5, 1).raised_above(term(u64::MAX, 1)), None, "nothing is above the last time");
    }
}
