//! The newest number of each owner in runs, kept in memory. [`recent`](crate::recent) defines the
//! terms.
//!
//! Without these numbers, each look-up of an owner's newest row searches up to 16 runs and then the
//! main table. With 200,000 conversations, most of them not in memory, such look-ups took a quarter
//! of the commit thread's time. With these numbers they take 5 %.

use std::collections::HashMap;

/// The number of an owner's newest row in runs, and the run that has the row.
// Packed, because a map has one for each owner, and 4 bytes would be padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(Rust, packed(4))]
pub(crate) struct NewestRow {
    pub(crate) number: u64,
    /// The lowest 32 bits of the number of the run.
    pub(crate) run: u32,
}

/// The newest number of each owner in the runs of a log. Has at most as many numbers as there are
/// rows in the runs. A number is the highest that its owner has used, so it stays valid after its
/// row is merged or expires. It is dropped when all runs of its generation are deleted.
#[derive(Debug, Default)]
pub(crate) struct NewestNumbers {
    merging: HashMap<u32, NewestRow>,
    growing: HashMap<u32, NewestRow>,
}

impl NewestNumbers {
    /// Sets an owner's newest number in the merging generation. A number replaces the owner's
    /// earlier one, so the numbers of an owner must be given in ascending order.
    pub(crate) fn insert_merging(&mut self, owner: u32, newest: NewestRow) {
        self.merging.insert(owner, newest);
    }

    /// Sets an owner's newest number in the growing generation. The numbers of an owner must be
    /// given in ascending order, as for [`insert_merging`](Self::insert_merging).
    pub(crate) fn insert_growing(&mut self, owner: u32, newest: NewestRow) {
        self.growing.insert(owner, newest);
    }

    /// An owner's newest row in runs; `None` if the owner has no row in runs. The row may be merged
    /// or expired since.
    pub(crate) fn get(&self, owner: u32) -> Option<NewestRow> {
        self.growing.get(&owner).or_else(|| self.merging.get(&owner)).copied()
    }

    /// Drops the numbers of the merging generation, whose rows are all merged. The growing
    /// generation becomes the merging one.
    pub(crate) fn next_generation(&mut self) {
        self.merging = std::mem::take(&mut self.growing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u64) -> NewestRow {
        NewestRow { number, run: 7 }
    }

    #[test]
    fn numbers_are_dropped_with_their_generation() {
        let mut newest = NewestNumbers::default();
        newest.insert_growing(1, row(5));
        newest.next_generation();
        newest.insert_growing(1, row(6));
        newest.insert_growing(2, row(1));
        assert_eq!([1, 2, 3].map(|owner| newest.get(owner)), [Some(row(6)), Some(row(1)), None]);
        newest.next_generation();
        newest.next_generation();
        assert_eq!(newest.get(1), None);
        assert!(newest.merging.is_empty() && newest.growing.is_empty());
    }

    #[test]
    fn an_owner_takes_16_bytes() {
        assert_eq!(size_of::<(u32, NewestRow)>(), 16);
    }

    #[test]
    fn numbers_of_the_growing_generation_replace_those_of_the_merging_generation() {
        let mut newest = NewestNumbers::default();
        newest.insert_merging(1, row(5));
        assert_eq!(newest.get(1), Some(row(5)));
        newest.insert_growing(1, row(6));
        assert_eq!(newest.get(1), Some(row(6)));
    }
}
