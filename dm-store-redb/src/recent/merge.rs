//! Moving rows from the runs into the large tree, some with each batch.

use std::ops::Bound;

use dm_store_kv::Failure;
use redb::WriteTransaction;

use crate::recent::newest::NewestNumbers;
use crate::recent::runs::{Moved, Runs};
use crate::recent::{END, Recent};
use crate::tree::{Between, Guard, Tree};

/// The rows that are written between two moves. A move costs a look into every run, and changes
/// pages of the large tree.
const STEP: u64 = 256;

/// Moves a quarter more rows than were written since the last move, so that the moving generation
/// is gone before the next one is full. Does nothing before [`STEP`] rows were written. When the
/// growing generation is full, the rest of the moving one is moved at once. Returns the runs as
/// they are then, and the newest numbers in them, if they are known.
pub(crate) fn merge(
    mut large: Tree<&WriteTransaction>,
    recent: Recent<&WriteTransaction>,
) -> Result<(Runs, Option<NewestNumbers>), Failure> {
    let moving = recent.moving().min(recent.trees.len());
    let Recent { mut runs, mut trees, run_rows, newest, .. } = recent;
    let mut newest = newest.into_inner();
    let is_full = runs.is_full(run_rows);
    if runs.unmerged < STEP.min(run_rows) && !is_full {
        return Ok((runs, newest));
    }
    let rows = if is_full { u64::MAX } else { runs.unmerged + runs.unmerged / 4 + 1 };
    runs.unmerged = 0;
    trees.truncate(moving);
    if let Moved::Through(key) = &runs.moved {
        runs.moved = move_rows(&mut large, &trees, key, rows)?;
    } else {
        // One run with each batch: freeing its pages takes as long as a small commit.
        let deleted = if is_full { moving } else { moving.min(1) };
        for tree in trees.drain(..deleted) {
            tree.delete()?;
            runs.oldest += 1;
        }
    }
    if is_full {
        for tree in trees {
            tree.delete()?;
            runs.oldest += 1;
        }
        runs.next_generation();
        if let Some(newest) = &mut newest {
            newest.next_generation();
        }
    }
    Ok((runs, newest))
}

/// Moves up to `limit` rows after a key, in the order of the keys. Returns how far they are moved.
fn move_rows(
    large: &mut Tree<&WriteTransaction>,
    runs: &[Tree<&WriteTransaction>],
    after: &[u8],
    limit: u64,
) -> Result<Moved, Failure> {
    let mut merged = Merged::new(runs, after)?;
    let mut last = after.to_vec();
    for _ in 0..limit {
        let Some((key, value)) = merged.next()? else { return Ok(Moved::All) };
        large.insert(&key, &value)?;
        last.clear();
        last.extend_from_slice(&key);
    }
    Ok(Moved::Through(last))
}

/// The rows of several runs in the order of their keys.
struct Merged<'a>(Vec<Run<'a>>);

struct Run<'a> {
    next: (Guard<'a>, Guard<'a>),
    rest: Between<'a>,
}

impl<'a> Merged<'a> {
    fn new(runs: &'a [Tree<&WriteTransaction>], after: &[u8]) -> Result<Self, Failure> {
        let mut merged = Vec::with_capacity(runs.len());
        for run in runs {
            let mut rest = run.between(Bound::Excluded(after), &END)?;
            if let Some(next) = rest.next() {
                merged.push(Run { next: next?, rest });
            }
        }
        Ok(Self(merged))
    }

    fn next(&mut self) -> Result<Option<(Guard<'a>, Guard<'a>)>, Failure> {
        let lowest = self.0.iter().enumerate().min_by(|(_, a), (_, b)| a.next.0.cmp(&b.next.0));
        let Some((index, _)) = lowest else { return Ok(None) };
        let Some(run) = self.0.get_mut(index) else { return Ok(None) };
        Ok(Some(match run.rest.next() {
            Some(next) => std::mem::replace(&mut run.next, next?),
            None => self.0.swap_remove(index).next,
        }))
    }
}
