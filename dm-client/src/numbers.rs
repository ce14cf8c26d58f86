//! [`ServerSequence`] and [`InboxSeq`]: the numbers of messages and of inbox entries.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(u64);

        impl $name {
            /// Zero, the number before the first message or entry.
            pub const ZERO: Self = Self(0);

            /// Wraps a number from an answer or a frame. Every value is accepted.
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The number that follows this one. The largest number is returned unchanged.
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// The number of a message in its conversation: 1, 2, 3 … without holes, never reused.
    ServerSequence
}

number! {
    /// The number of an entry in its user's inbox: 1, 2, 3 … without holes, never reused.
    InboxSeq
}
