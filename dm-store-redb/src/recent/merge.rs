//! Moving rows out of the runs into the large tree, some with each batch.

use std::ops::Bound;

use dm_store_kv::Failure;
use redb::WriteTransaction;

use crate::recent::newest::Numbers;
use crate::recent::{END, Recent};
use crate::recent::runs::{Moved, Runs};
use crate::stored::Stored;
use crate::tree::{Between, Guard, Tree};

/// Rows between moves: each costs a look into every run, and pages of its own.
const STEP: u64 = 256;

/// Moves as much as came in and a quarter more, so that the moving generation has gone when the
/// next one is full. Says what the runs are now, and what is known of the newest numbers in them.
pub(crate) fn settle(stored: Stored<&WriteTransaction>) -> Result<(Runs, Option<Numbers>), Failure> {
    let Stored { mut settled, recent } = stored;
    let Some(Recent { mut runs, mut trees, run, numbers, .. }) = recent else {
        return Ok((Runs::NONE, None));
    };
    let mut numbers = numbers.into_inner();
    let is_full = runs.is_full(run);
    if runs.unsettled < STEP.min(run) && !is_full {
        return Ok((runs, numbers));
    }
    let rows = if is_full { u64::MAX } else { runs.unsettled + runs.unsettled / 4 + 1 };
    runs.unsettled = 0;
    let moving = usize::try_from(runs.growing - runs.oldest).unwrap_or(usize::MAX).min(trees.len());
    trees.truncate(moving);
    if let Moved::Through(key) = &runs.moved {
        runs.moved = move_rows(&mut settled, &trees, key, rows)?;
    } else {
        // One at a time: giving back the pages of a run takes as long as a small commit.
        let gone = if is_full { moving } else { moving.min(1) };
        for tree in trees.drain(..gone) {
            tree.delete()?;
            runs.oldest += 1;
        }
    }
    if is_full {
        for tree in trees {
            tree.delete()?;
            runs.oldest += 1;
        }
        runs.turn();
        if let Some(numbers) = &mut numbers {
            numbers.turn();
        }
    }
    Ok((runs, numbers))
}

/// Moves rows after a key in the order of the keys, and says up to which.
fn move_rows(
    settled: &mut Tree<&WriteTransaction>,
    runs: &[Tree<&WriteTransaction>],
    after: &[u8],
    limit: u64,
) -> Result<Moved, Failure> {
    let mut merged = Merged::new(runs, after)?;
    let mut last = after.to_vec();
    for _ in 0..limit {
        let Some((key, value)) = merged.next()? else { return Ok(Moved::All) };
        settled.insert(&key, &value)?;
        last.clear();
        last.extend_from_slice(&key);
    }
    Ok(Moved::Through(last))
}

/// The rows of some runs in the order of their keys.
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
        let Some((place, _)) = lowest else { return Ok(None) };
        let Some(run) = self.0.get_mut(place) else { return Ok(None) };
        Ok(Some(match run.rest.next() {
            Some(next) => std::mem::replace(&mut run.next, next?),
            None => self.0.swap_remove(place).next,
        }))
    }
}
