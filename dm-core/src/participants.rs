//! [`Participants`], the pair of users in a conversation.

use crate::invalid::Invalid;
use crate::user::UserId;

/// The two users of a conversation. They are normalized: [`a`](Self::a) is the smaller [`UserId`].
/// So two values with the same two users are equal, whatever the order of the arguments of
/// [`new`](Self::new).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Participants {
    a: UserId,
    b: UserId,
}

/// One of the two sides of [`Participants`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The participant with the smaller [`UserId`].
    A,
    /// The participant with the larger [`UserId`].
    B,
}

impl Participants {
    /// The pair of two users. Their order does not matter.
    ///
    /// # Errors
    /// [`Invalid`] when the two arguments are the same user.
    pub fn new(one: UserId, other: UserId) -> Result<Self, Invalid> {
        match one.cmp(&other) {
            std::cmp::Ordering::Less => Ok(Self { a: one, b: other }),
            std::cmp::Ordering::Greater => Ok(Self { a: other, b: one }),
            std::cmp::Ordering::Equal => Err(Invalid::new("recipient", "a conversation with oneself")),
        }
    }

    /// The participant with the smaller [`UserId`].
    #[must_use]
    pub const fn a(&self) -> UserId {
        self.a
    }

    /// The participant with the larger [`UserId`].
    #[must_use]
    pub const fn b(&self) -> UserId {
        self.b
    }

    /// The side of a user, or `None` for a user who is not in the pair.
    #[must_use]
    pub fn side(&self, user: UserId) -> Option<Side> {
        if user == self.a {
            Some(Side::A)
        } else if user == self.b {
            Some(Side::B)
        } else {
            None
        }
    }

    /// The participant on a side.
    #[must_use]
    pub const fn participant(&self, side: Side) -> UserId {
        match side {
            Side::A => self.a,
            Side::B => self.b,
        }
    }

    /// The other participant, or `None` for a user who is not in the pair.
    #[must_use]
    pub fn peer_of(&self, user: UserId) -> Option<UserId> {
        self.side(user).map(|side| self.participant(side.other()))
    }
}

impl Side {
    /// The opposite side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::user;

    #[test]
    fn both_orders_give_the_same_pair() {
        let (x, y) = (user(1), user(2));
        assert_eq!(Participants::new(x, y).unwrap(), Participants::new(y, x).unwrap());
    }

    #[test]
    fn a_pair_of_one_user_is_refused() {
        assert!(Participants::new(user(1), user(1)).is_err());
    }

    #[test]
    fn each_participant_has_the_other_as_peer_and_other_users_have_none() {
        let pair = Participants::new(user(1), user(2)).unwrap();
        assert_eq!(pair.peer_of(user(1)), Some(user(2)));
        assert_eq!(pair.peer_of(user(2)), Some(user(1)));
        assert_eq!(pair.peer_of(user(3)), None);
        assert!(pair.a() < pair.b());
    }
}
