//! [`ReplayWindow`]: accepts each frame number of one node once. Its memory does not depend on the
//! rate of frames.

use std::ops::RangeInclusive;

/// The number of frames in the window, counted back from the newest one. Older frames are refused.
/// The window is a bitmap of 1 KiB, so that a window can be kept for each of 1,024 nodes.
pub(crate) const FRAMES: u64 = 8 * 1024;
const BITS: u64 = u64::BITS as u64;
const WORDS: usize = (FRAMES / BITS) as usize;

/// The frame numbers that were accepted, among the newest [`FRAMES`] numbers.
#[derive(Debug)]
pub(crate) struct ReplayWindow {
    /// The highest number that was accepted.
    newest: u64,
    /// A bit for each number of the window: 1 if the number was accepted. The index of the bit is
    /// the number modulo [`FRAMES`].
    accepted: Box<[u64; WORDS]>,
}

/// The reason why a number is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberRefusal {
    /// The number was accepted before.
    Repeated,
    /// The number is below the window.
    TooOld,
}

impl ReplayWindow {
    /// A window in which only the number `first` was accepted.
    pub(crate) fn new(first: u64) -> Self {
        let mut window = Self { newest: first, accepted: Box::new([0; WORDS]) };
        window.mark(first, true);
        window
    }

    /// Accepts a number, or refuses it if it was accepted before or is below the window.
    pub(crate) fn accept(&mut self, number: u64) -> Result<(), NumberRefusal> {
        if number > self.newest {
            self.clear(self.newest + 1..=number);
            self.newest = number;
        } else if self.newest - number >= FRAMES {
            return Err(NumberRefusal::TooOld);
        } else if self.is_marked(number) {
            return Err(NumberRefusal::Repeated);
        }
        self.mark(number, true);
        Ok(())
    }

    /// The highest number that was accepted.
    pub(crate) const fn newest(&self) -> u64 {
        self.newest
    }

    /// Clears the bits of numbers that enter the window.
    fn clear(&mut self, numbers: RangeInclusive<u64>) {
        if numbers.end() - numbers.start() >= FRAMES {
            self.accepted.fill(0);
        } else {
            numbers.for_each(|number| self.mark(number, false));
        }
    }

    /// Sets the bit of a number to `is_accepted`.
    fn mark(&mut self, number: u64, is_accepted: bool) {
        let (word, bit) = position(number);
        if let Some(word) = self.accepted.get_mut(word) {
            *word = if is_accepted { *word | bit } else { *word & !bit };
        }
    }

    fn is_marked(&self, number: u64) -> bool {
        let (word, bit) = position(number);
        self.accepted.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// The index of a number's word, and the number's bit in it.
fn position(number: u64) -> (usize, u64) {
    let word = usize::try_from(number % FRAMES / BITS).unwrap_or_default();
    (word, 1 << (number % BITS))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_number_is_accepted_once_and_none_below_the_window() {
        let mut window = ReplayWindow::new(0);
        assert_eq!(window.accept(0), Err(NumberRefusal::Repeated));
        assert_eq!(window.accept(FRAMES - 1), Ok(()));
        assert_eq!(window.accept(0), Err(NumberRefusal::Repeated), "the last number in the window");
        assert_eq!(window.accept(1), Ok(()), "overtaken by a higher number");
        assert_eq!(window.accept(FRAMES), Ok(()));
        assert_eq!(window.accept(0), Err(NumberRefusal::TooOld));
        assert_eq!(window.accept(1), Err(NumberRefusal::Repeated));
        assert_eq!(window.accept(u64::MAX), Ok(()));
        assert_eq!(window.accept(u64::MAX), Err(NumberRefusal::Repeated));
        assert_eq!(window.accept(FRAMES), Err(NumberRefusal::TooOld));
        assert_eq!(window.accept(u64::MAX - FRAMES + 1), Ok(()));
    }

    proptest! {
        #[test]
        fn a_window_decides_like_a_set_of_all_numbers(
            numbers in prop::collection::vec(prop_oneof![0..40_u64, 0..3 * FRAMES], 1..400),
        ) {
            let mut window = ReplayWindow::new(numbers[0]);
            let (mut all, mut newest) = (HashSet::from([numbers[0]]), numbers[0]);
            for number in numbers {
                let expected = if newest.saturating_sub(number) >= FRAMES {
                    Err(NumberRefusal::TooOld)
                } else if all.insert(number) {
                    Ok(())
                } else {
                    Err(NumberRefusal::Repeated)
                };
                newest = newest.max(number);
                prop_assert_eq!(window.accept(number), expected);
            }
        }
    }
}
