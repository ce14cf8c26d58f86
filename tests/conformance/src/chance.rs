//! Pseudo-random numbers that are the same for the same seed.

/// A generator of pseudo-random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The generator of a seed and a stream. Different streams of one seed have different numbers.
    #[must_use]
    pub const fn new(seed: u64, stream: u64) -> Self {
        Self(seed.wrapping_add(stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// Any number.
    #[must_use]
    pub const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a bound, which must not be zero.
    #[must_use]
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    /// An index into a list whose length is not zero.
    #[must_use]
    pub fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a length")
    }

    /// An element of a list; `None` if the list is empty.
    #[must_use]
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { from.get(self.place(from.len())).copied() }
    }

    /// Any byte.
    pub(crate) const fn byte(&mut self) -> u8 {
        self.number().to_be_bytes()[0]
    }

    /// A number of iterations for a busy loop: usually few, at most some milliseconds.
    pub(crate) const fn turns(&mut self) -> u64 {
        let most = 1 << self.below(18);
        self.below(most)
    }
}
