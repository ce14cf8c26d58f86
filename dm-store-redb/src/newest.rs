//! The last rows of many owners at once.

use dm_store_kv::{Failure, Order, Rows as _};

use crate::tables::Stored;
use crate::tree::Transaction;

/// From how many owners on it is cheaper to walk over the runs whole than to look into each run for each owner.
const MANY: usize = 512;

/// The lowest and the highest key of an owner.
fn keys(owner: u32) -> ([u8; 4], [u8; 13]) {
    let mut last = [u8::MAX; 13];
    let owner = owner.to_be_bytes();
    for (byte, owner) in last.iter_mut().zip(owner) {
        *byte = owner;
    }
    (owner, last)
}

/// As [`Rows::last_of_each`](dm_store_kv::Rows::last_of_each).
pub(crate) fn last_of_each<T: Transaction>(
    stored: &Stored<T>,
    owners: &[u32],
    mut visit: impl FnMut(usize, &[u8], &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut found = vec![false; owners.len()];
    if let Some(recent) = &stored.recent
        && owners.len() >= MANY
    {
        for place in (0..recent.trees.len()).rev() {
            // Along the run and the owners from their ends: the first row of an owner is the last.
            let mut left = owners.iter().zip(&mut found).enumerate().rev().peekable();
            let Some(mut rows) = recent.between(place, &[], &[u8::MAX; 13])? else { continue };
            while let Some(row) = rows.next_back() {
                let (key, value) = row?;
                let Some(owner) = key.first_chunk::<4>() else { continue };
                let owner = u32::from_be_bytes(*owner);
                while left.next_if(|(_, (other, _))| **other > owner).is_some() {}
                if let Some((at, (_, found))) = left.next_if(|(_, (other, _))| **other == owner)
                    && !std::mem::replace(found, true)
                {
                    visit(at, &key, &value)?;
                }
            }
        }
    }
    let is_searched = owners.len() >= MANY;
    for (at, (owner, _)) in owners.iter().zip(found).enumerate().filter(|(_, (_, found))| !found) {
        let (from, to) = keys(*owner);
        let row = if is_searched {
            stored.settled.between(std::ops::Bound::Included(&from), &to)?.next_back()
        } else {
            stored.walk(&from, &to, Order::Descending)?.next()
        };
        if let Some(row) = row {
            let (key, value) = row?;
            visit(at, &key, &value)?;
        }
    }
    Ok(())
}
