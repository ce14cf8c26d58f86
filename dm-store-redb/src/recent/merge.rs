//! Merges rows from runs into the main table, some with each batch. [`recent`](crate::recent)
//! defines these terms.

use std::ops::Bound;

use dm_store_kv::Failure;
use redb::WriteTransaction;

use crate::lazy_table::{Guard, LazyTable, RowsBetween};
use crate::recent::newest::NewestNumbers;
use crate::recent::runs::{MergeProgress, Runs};
use crate::recent::{END, RecentRows};

/// The minimum number of rows that are written between two merges, unless a full run has fewer. A
/// merge reads every run of the merging generation and copies pages of the main table, which costs
/// too much for few rows.
const MIN_ROWS_BETWEEN_MERGES: u64 = 256;

/// Merges a quarter more rows than were written since the last merge, so that all rows of the
/// merging generation are merged before the growing generation is full. After all rows are merged,
/// each call deletes one run of the merging generation. Does nothing until
/// [`MIN_ROWS_BETWEEN_MERGES`] rows were written.
///
/// When the growing generation is full, merges all remaining rows, deletes all remaining runs of
/// the merging generation, and makes the full generation the merging one.
///
/// Returns the new state of the runs, and the newest numbers of the owners in runs if `recent` has
/// them in memory.
pub(crate) fn merge(
    mut main: LazyTable<&WriteTransaction>,
    recent: RecentRows<&WriteTransaction>,
) -> Result<(Runs, Option<NewestNumbers>), Failure> {
    // `drain`, below, panics beyond the end of `run_tables`.
    let merging_count = recent.merging_count().min(recent.run_tables.len());
    let RecentRows { mut runs, mut run_tables, rows_per_run, newest, .. } = recent;
    let mut newest = newest.into_inner();
    let is_full = runs.is_full(rows_per_run);
    if runs.rows_since_merge < MIN_ROWS_BETWEEN_MERGES.min(rows_per_run) && !is_full {
        return Ok((runs, newest));
    }
    // A quarter may round to zero, so one more row is added.
    let limit = if is_full { u64::MAX } else { runs.rows_since_merge + runs.rows_since_merge / 4 + 1 };
    runs.rows_since_merge = 0;
    run_tables.truncate(merging_count);
    if let MergeProgress::Through(key) = &runs.progress {
        runs.progress = merge_rows(&mut main, &run_tables, key, limit)?;
    } else {
        // Usually only one run is deleted, because freeing its pages takes as long as a small
        // commit.
        let deleted = if is_full { merging_count } else { merging_count.min(1) };
        for table in run_tables.drain(..deleted) {
            table.delete()?;
            runs.oldest += 1;
        }
    }
    if is_full {
        for table in run_tables {
            table.delete()?;
            runs.oldest += 1;
        }
        runs.next_generation();
        if let Some(newest) = &mut newest {
            newest.next_generation();
        }
    }
    Ok((runs, newest))
}

/// Merges up to `limit` rows with keys above `after`, in the order of the keys. Returns the
/// progress.
fn merge_rows(
    main: &mut LazyTable<&WriteTransaction>,
    runs: &[LazyTable<&WriteTransaction>],
    after: &[u8],
    limit: u64,
) -> Result<MergeProgress, Failure> {
    let mut rows = RowsByKey::new(runs, after)?;
    let mut last = after.to_vec();
    for _ in 0..limit {
        let Some((key, value)) = rows.next()? else { return Ok(MergeProgress::Everything) };
        main.insert(&key, &value)?;
        last.clear();
        last.extend_from_slice(&key);
    }
    Ok(MergeProgress::Through(last))
}

/// An iterator over the rows of several runs in the order of their keys.
struct RowsByKey<'a>(Vec<RunRows<'a>>);

/// The rows of one run that have not been returned yet. A run without such rows is dropped.
struct RunRows<'a> {
    next: (Guard<'a>, Guard<'a>),
    remaining: RowsBetween<'a>,
}

impl<'a> RowsByKey<'a> {
    /// The rows of `runs` with keys above `after`.
    fn new(runs: &'a [LazyTable<&WriteTransaction>], after: &[u8]) -> Result<Self, Failure> {
        let mut rows_by_run = Vec::with_capacity(runs.len());
        for run in runs {
            let mut remaining = run.rows_between(Bound::Excluded(after), &END)?;
            if let Some(next) = remaining.next() {
                rows_by_run.push(RunRows { next: next?, remaining });
            }
        }
        Ok(Self(rows_by_run))
    }

    /// The row with the lowest key; `None` after the last row.
    fn next(&mut self) -> Result<Option<(Guard<'a>, Guard<'a>)>, Failure> {
        let lowest = self.0.iter().enumerate().min_by(|(_, a), (_, b)| a.next.0.cmp(&b.next.0));
        let Some((index, _)) = lowest else { return Ok(None) };
        let Some(run) = self.0.get_mut(index) else { return Ok(None) };
        Ok(Some(match run.remaining.next() {
            Some(next) => std::mem::replace(&mut run.next, next?),
            None => self.0.swap_remove(index).next,
        }))
    }
}
