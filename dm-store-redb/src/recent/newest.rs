//! The newest number of each owner of rows in runs.
//!
//! Without them, each look-up of an owner's newest row goes through all runs, of which there are up
//! to 16, before it comes to the large tree. With 200,000 conversations, most of them not in
//! memory, that was a quarter of the commit thread's time. With them it is 5 %.

use std::collections::HashMap;

/// The newest number of each owner of rows in the runs of a log: a copy of what they hold, and no
/// more numbers than rows. A number stays valid when its row is moved, and when the row expires, as
/// the highest number that was ever used. It is dropped with its generation.
#[derive(Debug, Default)]
pub(crate) struct NewestNumbers {
    moving: HashMap<u32, u64>,
    growing: HashMap<u32, u64>,
}

impl NewestNumbers {
    /// Adds the number of a row in the moving generation. An owner's newest row comes last.
    pub(crate) fn insert_moving(&mut self, owner: u32, number: u64) {
        self.moving.insert(owner, number);
    }

    /// Adds the number of a row in the growing generation. An owner's newest row comes last.
    pub(crate) fn insert_growing(&mut self, owner: u32, number: u64) {
        self.growing.insert(owner, number);
    }

    /// The number of an owner's newest row in runs.
    pub(crate) fn get(&self, owner: u32) -> Option<u64> {
        self.growing.get(&owner).or_else(|| self.moving.get(&owner)).copied()
    }

    /// Drops the numbers of the moving generation, all of which is moved. The growing one becomes
    /// the moving one.
    pub(crate) fn next_generation(&mut self) {
        self.moving = std::mem::take(&mut self.growing);
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
        assert!(newest.moving.is_empty() && newest.growing.is_empty());
    }

    #[test]
    fn a_number_of_the_growing_generation_is_newer_than_one_of_the_moving() {
        let mut newest = NewestNumbers::default();
        newest.insert_moving(1, 5);
        assert_eq!(newest.get(1), Some(5));
        newest.insert_growing(1, 6);
        assert_eq!(newest.get(1), Some(6));
    }
}
