//! The newest numbers of those who have rows in runs.
//!
//! Without them, each look for somebody's newest row goes through all runs, of which there are up
//! to 16, before it comes to the large tree: with 200,000 conversations, of which most are not in
//! memory, that was a quarter of the commit thread's time, and is now 5 %.

use std::collections::HashMap;

use dm_store_kv::Failure;

use crate::newest::END;
use crate::parts::Recent;
use crate::tree::Transaction;

/// The newest number of each owner of rows in the runs of a log: no more numbers than rows in runs.
/// Only ever a copy of what they hold. A number stays right when its row is moved, and when it
/// expires, as the newest that there ever was; it goes with its generation.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    moving: HashMap<u32, u64>,
    growing: HashMap<u32, u64>,
}

impl Numbers {
    /// Looks at all rows in runs.
    pub(crate) fn read(recent: &Recent<impl Transaction>) -> Result<Self, Failure> {
        let mut numbers = Self::default();
        for place in 0..recent.trees.len() {
            let Some(rows) = recent.between(place, &[], &END)? else { continue };
            let of = if place < recent.moving() { &mut numbers.moving } else { &mut numbers.growing };
            for row in rows {
                let (owner, number) = split(&row?.0)?;
                of.insert(owner, number);
            }
        }
        Ok(numbers)
    }

    /// The number of an owner's newest row that was put into the runs.
    pub(crate) fn get(&self, owner: u32) -> Option<u64> {
        self.growing.get(&owner).or_else(|| self.moving.get(&owner)).copied()
    }

    /// Takes in a row that is put into the newest run.
    pub(crate) fn insert(&mut self, key: &[u8]) -> Result<(), Failure> {
        let (owner, number) = split(key)?;
        self.growing.insert(owner, number);
        Ok(())
    }

    /// Forgets the generation that was moved; the one that grew is moved next.
    pub(crate) fn turn(&mut self) {
        self.moving = std::mem::take(&mut self.growing);
    }
}

/// The key of a row in a log.
pub(crate) fn key(owner: u32, number: u64) -> [u8; 12] {
    let mut key = [0; 12];
    let parts = owner.to_be_bytes().into_iter().chain(number.to_be_bytes());
    key.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    key
}

/// The owner and the number in a key.
pub(crate) fn split(key: &[u8]) -> Result<(u32, u64), Failure> {
    let damaged = || Failure::Damaged("a key without its owner or number");
    let (owner, number) = key.split_first_chunk().ok_or_else(damaged)?;
    let number = number.try_into().map_err(|_| damaged())?;
    Ok((u32::from_be_bytes(*owner), u64::from_be_bytes(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_with_their_generation() {
        let mut numbers = Numbers::default();
        numbers.insert(&key(1, 5)).unwrap();
        numbers.turn();
        numbers.insert(&key(1, 6)).unwrap();
        numbers.insert(&key(2, 1)).unwrap();
        assert_eq!([1, 2, 3].map(|owner| numbers.get(owner)), [Some(6), Some(1), None]);
        numbers.turn();
        numbers.turn();
        assert_eq!(numbers.get(1), None);
        assert!(numbers.moving.is_empty() && numbers.growing.is_empty());
    }

    #[test]
    fn a_key_of_another_length_is_damaged() {
        assert_eq!(split(&key(7, 8)).unwrap(), (7, 8));
        for len in 0..12 {
            assert!(split(&key(7, 8)[..len]).is_err(), "{len}");
        }
        assert!(split(&[0; 13]).is_err());
    }
}
