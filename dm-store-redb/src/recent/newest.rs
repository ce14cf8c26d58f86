//! The newest number of each owner in runs, kept in memory. [`recent`](crate::recent) defines the
//! terms.
//!
//! Without these numbers, each look-up of an owner's newest row searches up to 16 runs and then the
//! main table. With 200,000 conversations, most of them not in memory, such look-ups took a quarter
//! of the commit thread's time. With these numbers they take 5 %.

use std::collections::HashMap;

/// The newest number of each owner in the runs of a log. Has at most as many numbers as there are
/// rows in the runs. A number is the highest that its owner has used, so it stays valid after its
/// row is merged or expires. It is dropped when all runs of its generation are deleted.
#[derive(Debug, Default)]
pub(crate) struct NewestNumbers {
    merging: HashMap<u32, u64>,
    growing: HashMap<u32, u64>,
}

impl NewestNumbers {
    /// Sets an owner's newest number in the merging generation. A number replaces the owner's
    /// earlier one, so the numbers of an owner must be given in ascending order.
    pub(crate) fn insert_merging(&mut self, owner: u32, number: u64) {
        self.merging.insert(owner, number);
    }

    /// Sets an owner's newest number in the growing generation. The numbers of an owner must be
    /// given in ascending order, as for [`insert_merging`](Self::insert_merging).
    pub(crate) fn insert_growing(&mut self, owner: u32, number: u64) {
        self.growing.insert(owner, number);
    }

    /// The number of an owner's newest row in runs; `None` if the owner has no row in runs.
    pub(crate) fn get(&self, owner: u32) -> Option<u64> {
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

    #[test]
    fn numbers_are_dropped_with_their_generation() {
        let mut newest = NewestNumbers::default();
        newest.insert_growing(1, 5);
        newest.next_generation();
        newest.insert_growing(1, 6);
        newest.insert_growing(2, 1);
        assert_eq!([1, 2, 3].map(|owner| newest.get(owner)), [Some(6), Some(1), None]);
        newest.next_generation();
        newest.next_generation();
        assert_eq!(newest.get(1), None);
        assert!(newest.merging.is_empty() && newest.growing.is_empty());
    }

    #[test]
    fn numbers_of_the_growing_generation_replace_those_of_the_merging_generation() {
        let mut newest = NewestNumbers::default();
        newest.insert_merging(1, 5);
        assert_eq!(newest.get(1), Some(5));
        newest.insert_growing(1, 6);
        assert_eq!(newest.get(1), Some(6));
    }
}
