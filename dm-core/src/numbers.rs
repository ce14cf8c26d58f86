//! Places in logs: dense numbers that begin at 1.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(u64);

        impl $name {
            /// Before the first: what a log that never held anything has as its head.
            pub const ZERO: Self = Self(0);

            /// A number as it stands on the wire or in a store.
            #[must_use]
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The number after this one.
            #[must_use]
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
    /// Place of a message in its conversation: 1, 2, 3 … without holes, never reused.
    ServerSequence
}

number! {
    /// Place of an entry in its user's inbox: 1, 2, 3 … without holes, never reused.
    InboxSeq
}
