//! [`Gate`] and [`UserGate`], which let sends through or refuse them. Their numbers are compared
//! when a message is appended, so a store reads no further row for them.

use super::refusal::{GateRefusal, Refusal};
use crate::counts::Counts;
use crate::numbers::{InboxSeq, SenderSequence};
use crate::participants::{Participants, Side};
use crate::user::UserId;

/// The gate of a pair of users. It exists also before the pair has a conversation. The default
/// lets everything through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// The bits that close the gate. While any is set, neither side can send, and the pair can open
    /// no conversation. The core gives the bits their meaning, for instance a block.
    pub closed: u8,
    /// What the smaller participant may send; `None` if that has no limit.
    pub ceiling_a: Option<Ceiling>,
    /// What the larger participant may send; `None` if that has no limit.
    pub ceiling_b: Option<Ceiling>,
}

/// A limit of what one side of a conversation may send in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// The highest number that a message of the side may get.
    pub messages: SenderSequence,
    /// The number of bytes that all messages of the side may have together, by
    /// [`SideCounts::bytes`](crate::SideCounts::bytes).
    pub bytes: u64,
}

/// The gate of one user. The default lets everything through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserGate {
    /// Whether nobody can send to or from the user, nor open a conversation with the user.
    pub is_closed: bool,
    /// The highest number that an entry about a message may get in the user's inbox; `None` if that
    /// has no limit. Notices have none.
    pub ceiling: Option<InboxSeq>,
}

impl Gate {
    /// The ceiling of a side.
    #[must_use]
    pub const fn ceiling(&self, side: Side) -> Option<Ceiling> {
        match side {
            Side::A => self.ceiling_a,
            Side::B => self.ceiling_b,
        }
    }

    /// Checks the opening of a conversation.
    ///
    /// # Errors
    /// [`Refusal::Gate`] when the gate is closed.
    pub const fn check_open(&self) -> Result<(), Refusal> {
        match self.closed {
            0 => Ok(()),
            bits => Err(Refusal::Gate(GateRefusal::Closed { bits })),
        }
    }

    /// Checks a message of one side. `after` has the counts of the conversation with that message.
    ///
    /// # Errors
    /// [`Refusal::Gate`] when the gate is closed, or the message is above the side's ceiling.
    pub fn check_message(&self, sender: Side, after: &Counts) -> Result<(), Refusal> {
        self.check_open()?;
        match self.ceiling(sender) {
            Some(ceiling)
                if after.side(sender).sent > ceiling.messages || after.side(sender).bytes > ceiling.bytes =>
            {
                Err(Refusal::Gate(GateRefusal::Ceiling))
            }
            _ => Ok(()),
        }
    }
}

impl UserGate {
    /// Checks the opening of a conversation with this user.
    ///
    /// # Errors
    /// [`Refusal::Gate`] when the user's gate is closed.
    pub const fn check_open(&self, user: UserId) -> Result<(), Refusal> {
        if self.is_closed { Err(Refusal::Gate(GateRefusal::UserClosed { user })) } else { Ok(()) }
    }

    /// Checks a message whose entry gets the number `next` in this user's inbox.
    ///
    /// # Errors
    /// [`Refusal::Gate`] when the user's gate is closed, or the entry is above the ceiling.
    pub fn check_message(&self, user: UserId, next: InboxSeq) -> Result<(), Refusal> {
        self.check_open(user)?;
        match self.ceiling {
            Some(ceiling) if next > ceiling => Err(Refusal::Gate(GateRefusal::UserCeiling { user })),
            _ => Ok(()),
        }
    }
}

/// A change of the gate of a pair of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateChange {
    /// The pair.
    pub pair: Participants,
    /// The bits to set. If a bit is also in `open`, it is set.
    pub close: u8,
    /// The bits to clear.
    pub open: u8,
    /// The new ceiling of the smaller participant.
    pub ceiling_a: Update<Ceiling>,
    /// The new ceiling of the larger participant.
    pub ceiling_b: Update<Ceiling>,
}

/// A change of the gate of one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserGateChange {
    /// The user.
    pub user: UserId,
    /// Whether the gate is closed afterwards; `None` keeps it as it is.
    pub close: Option<bool>,
    /// The new ceiling of the user's inbox.
    pub ceiling: Update<InboxSeq>,
}

/// A change of a value that may be absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Update<T> {
    /// The value stays as it is.
    #[default]
    Keep,
    /// The value is replaced.
    Set(T),
    /// The value is removed.
    Remove,
}

impl<T> Update<T> {
    fn apply(self, value: Option<T>) -> Option<T> {
        match self {
            Self::Keep => value,
            Self::Set(value) => Some(value),
            Self::Remove => None,
        }
    }
}

impl GateChange {
    /// A change of a pair's gate that keeps everything.
    #[must_use]
    pub const fn new(pair: Participants) -> Self {
        Self { pair, close: 0, open: 0, ceiling_a: Update::Keep, ceiling_b: Update::Keep }
    }

    /// The gate after this change.
    #[must_use]
    pub fn apply(&self, gate: Gate) -> Gate {
        Gate {
            closed: (gate.closed & !self.open) | self.close,
            ceiling_a: self.ceiling_a.apply(gate.ceiling_a),
            ceiling_b: self.ceiling_b.apply(gate.ceiling_b),
        }
    }
}

impl UserGateChange {
    /// A change of a user's gate that keeps everything.
    #[must_use]
    pub const fn new(user: UserId) -> Self {
        Self { user, close: None, ceiling: Update::Keep }
    }

    /// The gate after this change.
    #[must_use]
    pub fn apply(&self, gate: UserGate) -> UserGate {
        UserGate {
            is_closed: self.close.unwrap_or(gate.is_closed),
            ceiling: self.ceiling.apply(gate.ceiling),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::user;

    fn refused<T>(refusal: GateRefusal) -> Result<T, Refusal> {
        Err(Refusal::Gate(refusal))
    }

    #[test]
    fn any_bit_closes_a_gate_for_both_sides_and_bits_are_set_and_cleared_one_by_one() {
        let pair = Participants::new(user(1), user(2)).unwrap();
        let after = Counts::default().after_message(Side::A, 1);
        let gate = GateChange { close: 0b101, ..GateChange::new(pair) }.apply(Gate::default());
        for side in [Side::A, Side::B] {
            assert_eq!(gate.check_message(side, &after), refused(GateRefusal::Closed { bits: 0b101 }));
        }
        let gate = GateChange { close: 0b10, open: 0b111, ..GateChange::new(pair) }.apply(gate);
        assert_eq!(gate.closed, 0b10);
        assert_eq!(gate.check_open(), refused(GateRefusal::Closed { bits: 0b10 }));
        let gate = GateChange { open: 0b10, ..GateChange::new(pair) }.apply(gate);
        assert_eq!(gate.check_open(), Ok(()));
    }

    #[test]
    fn a_ceiling_limits_messages_and_bytes_of_its_side_until_it_is_removed() {
        let pair = Participants::new(user(1), user(2)).unwrap();
        let ceiling = Ceiling { messages: SenderSequence::new(2), bytes: 10 };
        let change = GateChange { ceiling_a: Update::Set(ceiling), ..GateChange::new(pair) };
        let gate = change.apply(Gate::default());
        let sent = |sizes: &[u64]| {
            sizes.iter().fold(Counts::default(), |counts, bytes| counts.after_message(Side::A, *bytes))
        };
        assert_eq!(gate.check_message(Side::A, &sent(&[5, 5])), Ok(()));
        assert_eq!(gate.check_message(Side::A, &sent(&[5, 6])), refused(GateRefusal::Ceiling));
        assert_eq!(gate.check_message(Side::A, &sent(&[1, 1, 1])), refused(GateRefusal::Ceiling));
        assert_eq!(gate.check_message(Side::B, &sent(&[1, 1, 1])), Ok(()));
        assert_eq!(GateChange::new(pair).apply(gate), gate);
        let removed = GateChange { ceiling_a: Update::Remove, ..GateChange::new(pair) }.apply(gate);
        assert_eq!(removed, Gate::default());
    }

    #[test]
    fn the_gate_of_a_user_closes_and_limits_the_inbox() {
        let who = user(1);
        let change = UserGateChange {
            close: Some(true),
            ceiling: Update::Set(InboxSeq::new(3)),
            ..UserGateChange::new(who)
        };
        let closed = change.apply(UserGate::default());
        assert_eq!(closed.check_open(who), refused(GateRefusal::UserClosed { user: who }));
        let open = UserGateChange { close: Some(false), ..UserGateChange::new(who) }.apply(closed);
        assert_eq!(open.check_message(who, InboxSeq::new(3)), Ok(()));
        let above = open.check_message(who, InboxSeq::new(4));
        assert_eq!(above, refused(GateRefusal::UserCeiling { user: who }));
        assert_eq!(open.check_open(who), Ok(()), "opening appends a notice only");
    }
}
