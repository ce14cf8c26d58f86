//! The numbers of items in a sequence, such as the messages of a conversation and the entries of an
//! inbox. They start at 1 and have no holes.

use std::fmt;

/// Defines the type that numbers the items of one kind of sequence.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(u64);

        impl $name {
            /// Zero, the number before the first item. It is the head of a sequence that has never
            /// had an item.
            pub const ZERO: Self = Self(0);

            /// A number from the wire or from a store.
            #[must_use]
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The number after this one. The largest number is returned unchanged.
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
    /// The number of a message in its conversation: 1, 2, 3 … without holes, never reused.
    ServerSequence
}

number! {
    /// The number of an entry in its user's inbox: 1, 2, 3 … without holes, never reused.
    InboxSeq
}

number! {
    /// The number of a message among those that its sender sent in the conversation: 1, 2, 3 …
    /// without holes, never reused. Zero for a message that was stored before such numbers were
    /// given; the numbers of its conversation start after it.
    SenderSequence
}

number! {
    /// The number of a change of a user's synced records: 1, 2, 3 … without holes, never reused.
    Revision
}

number! {
    /// The number of a registration among those of a user's devices: 1, 2, 3 … without holes, never
    /// reused. A device that is forgotten and registered again gets a new one, so that it gets no
    /// entry that is addressed to its predecessor.
    Registration
}
