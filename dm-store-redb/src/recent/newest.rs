//! The newest numbers of those who have rows in runs.
//!
//! Without them, each look for somebody's newest row goes through all runs, of which there are up
//! to 16, before it comes to the large tree: with 200,000 conversations, of which most are not in
//! memory, that was a quarter of the commit thread's time, and is now 5 %.

use std::collections::HashMap;

use dm_store_kv::{Failure, owner_and_number};

/// The newest number of each owner of rows in the runs of a log: no more numbers than rows in runs.
/// Only ever a copy of what they hold. A number stays right when its row is moved, and when it
/// expires, as the newest that there ever was; it goes with its generation.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    moving: HashMap<u32, u64>,
    growing: HashMap<u32, u64>,
}

impl Numbers {
    /// Takes in a row that was found in a run: of the generation that is moved, or of the one that
    /// grows.
    pub(crate) fn take_in(&mut self, is_moving: bool, owner: u32, number: u64) {
        let of = if is_moving { &mut self.moving } else { &mut self.growing };
        of.insert(owner, number);
    }

    /// The number of an owner's newest row that was put into the runs.
    pub(crate) fn get(&self, owner: u32) -> Option<u64> {
        self.growing.get(&owner).or_else(|| self.moving.get(&owner)).copied()
    }

    /// Takes in a row that is put into the newest run.
    pub(crate) fn insert(&mut self, key: &[u8]) -> Result<(), Failure> {
        let (owner, number) = owner_and_number(key)?;
        self.growing.insert(owner, number);
        Ok(())
    }

    /// Forgets the generation that was moved; the one that grew is moved next.
    pub(crate) fn turn(&mut self) {
        self.moving = std::mem::take(&mut self.growing);
    }
}

#[cfg(test)]
mod tests {
    use dm_store_kv::numbered;

    use super::*;

    #[test]
    fn numbers_go_with_their_generation() {
        let mut numbers = Numbers::default();
        numbers.insert(&numbered(1, 5)).unwrap();
        numbers.turn();
        numbers.insert(&numbered(1, 6)).unwrap();
        numbers.insert(&numbered(2, 1)).unwrap();
        assert_eq!([1, 2, 3].map(|owner| numbers.get(owner)), [Some(6), Some(1), None]);
        numbers.turn();
        numbers.turn();
        assert_eq!(numbers.get(1), None);
        assert!(numbers.moving.is_empty() && numbers.growing.is_empty());
    }
}
