//! The last rows of many owners at once.

use dm_store_kv::{Failure, Order};

use crate::recent::{END, Recent};
use crate::tree::{Transaction, Tree};
use crate::recent::read::Walk;

/// From how many owners on it is cheaper to walk over the runs whole than to look into each run for
/// each owner: the list of 10,000 conversations takes 6 ms in this way, as long as without runs.
const MANY: usize = 512;

/// As [`Rows::last_of_each`](dm_store_kv::Rows::last_of_each).
pub(crate) fn last_of_each<T: Transaction>(
    settled: &Tree<T>,
    recent: Option<&Recent<T>>,
    owners: &[u32],
    mut visit: impl FnMut(usize, &[u8], &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut found = vec![false; owners.len()];
    if let Some(recent) = recent
        && owners.len() >= MANY
    {
        in_runs(recent, owners, &mut found, &mut visit)?;
    }
    let left = owners.iter().zip(found).enumerate().filter(|(_, (_, found))| !found);
    for (place, (owner, _)) in left {
        let from = owner.to_be_bytes();
        let mut to = END;
        if let Some(first) = to.first_chunk_mut() {
            *first = from;
        }
        // The owners in question have none in the runs, and are looked for again there only if they
        // are few.
        let row = if owners.len() >= MANY {
            settled.between(std::ops::Bound::Included(&from), &to)?.next_back()
        } else {
            Walk::new(settled, recent, &from, &to, Order::Descending)?.next()
        };
        if let Some(row) = row {
            let (key, value) = row?;
            visit(place, &key, &value)?;
        }
    }
    Ok(())
}

/// Visits the last rows of those who have some in runs, and notes who that is.
fn in_runs<T: Transaction>(
    recent: &Recent<T>,
    owners: &[u32],
    found: &mut [bool],
    visit: &mut impl FnMut(usize, &[u8], &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for run in (0..recent.trees.len()).rev() {
        let Some(rows) = recent.between(run, &[], &END)? else { continue };
        // Along the rows and the owners from their ends: the first row of an owner is the last one.
        let mut left = owners.iter().zip(&mut *found).enumerate().rev().peekable();
        for row in rows.rev() {
            let (key, value) = row?;
            let owner = key.first_chunk().ok_or(Failure::Damaged("a key without its owner"))?;
            let owner = u32::from_be_bytes(*owner);
            while left.next_if(|(_, (other, _))| **other > owner).is_some() {}
            if let Some((place, (_, found))) = left.next_if(|(_, (other, _))| **other == owner)
                && !std::mem::replace(found, true)
            {
                visit(place, &key, &value)?;
            }
        }
    }
    Ok(())
}
