//! Reads the main table and the runs of a log as one sequence.
//!
//! A key of a log is an owner (a conversation or a user) and a number. A run is a small table of
//! new rows. [`recent`](crate::recent) defines the terms.

use std::ops::{Bound, Range};

use dm_store_kv::{Failure, Order};

use crate::lazy_table::{LazyTable, Row, RowsBetween, Transaction};
use crate::recent::{END, RecentRows};

/// When the last rows of this number of owners or more are read, each run is read once from end to
/// end. For fewer owners, each owner is looked up in each run. With this limit, listing 10,000
/// conversations takes 6 ms, the same time as without runs.
const MANY_OWNERS: usize = 512;

/// An iterator over the rows of one owner in a log. In ascending order it reads the main table, and
/// then each run from the oldest to the newest. In descending order it reads them from the newest
/// run to the main table. Each table is opened when it is reached.
pub(crate) struct Walk<'a, T: Transaction> {
    /// The rows of the current table.
    rows: RowsBetween<'a>,
    order: Order,
    /// `None` if there is no other table to read: the log has no runs, or the range is empty.
    remaining: Option<RemainingTables<'a, T>>,
}

/// The main table and the runs that are not read yet.
struct RemainingTables<'a, T: Transaction> {
    main: &'a LazyTable<T>,
    recent: &'a RecentRows<T>,
    /// The indexes of the runs that are not read yet.
    runs: Range<usize>,
    from: Vec<u8>,
    to: Vec<u8>,
    /// Whether the main table is not read yet. It is the first table in ascending order, and the
    /// last one in descending order.
    is_main_unread: bool,
}

impl<'a, T: Transaction> Walk<'a, T> {
    /// The rows between two keys, both included.
    pub(crate) fn new(
        main: &'a LazyTable<T>,
        recent: Option<&'a RecentRows<T>>,
        from: &[u8],
        to: &[u8],
        order: Order,
    ) -> Result<Self, Failure> {
        let main_rows = || main.rows_between(Bound::Included(from), to);
        let Some(recent) = recent.filter(|recent| !recent.run_tables.is_empty() && from <= to) else {
            return Ok(Self { rows: main_rows()?, order, remaining: None });
        };
        let (rows, is_main_unread) = match order {
            Order::Ascending => (main_rows()?, false),
            Order::Descending => (RowsBetween::none(), true),
        };
        let runs = 0..recent.run_tables.len();
        let remaining =
            RemainingTables { main, recent, runs, from: from.to_vec(), to: to.to_vec(), is_main_unread };
        Ok(Self { rows, order, remaining: Some(remaining) })
    }
}

impl<'a, T: Transaction> RemainingTables<'a, T> {
    /// The rows of the next table; `None` when all tables are read.
    fn next(&mut self, order: Order) -> Result<Option<RowsBetween<'a>>, Failure> {
        let (main, recent) = (self.main, self.recent);
        loop {
            let run = match order {
                Order::Ascending => self.runs.next(),
                Order::Descending => self.runs.next_back(),
            };
            match run {
                Some(run) => {
                    if let Some(rows) = recent.rows_between(run, &self.from, &self.to)? {
                        return Ok(Some(rows));
                    }
                }
                None if std::mem::take(&mut self.is_main_unread) => {
                    return main.rows_between(Bound::Included(&self.from), &self.to).map(Some);
                }
                None => return Ok(None),
            }
        }
    }
}

impl<'a, T: Transaction> Iterator for Walk<'a, T> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        loop {
            let row = match self.order {
                Order::Ascending => self.rows.next(),
                Order::Descending => self.rows.next_back(),
            };
            if row.is_some() {
                return row;
            }
            match self.remaining.as_mut()?.next(self.order) {
                Ok(Some(rows)) => self.rows = rows,
                Ok(None) => return None,
                Err(failure) => return Some(Err(failure)),
            }
        }
    }
}

/// Calls `visit` for the last row of each owner: the implementation of
/// [`Rows::last_of_each`](dm_store_kv::Rows::last_of_each).
pub(crate) fn visit_last_rows<T: Transaction>(
    main: &LazyTable<T>,
    recent: Option<&RecentRows<T>>,
    owners: &[u32],
    mut visit: impl FnMut(usize, &[u8], &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut found = vec![false; owners.len()];
    if let Some(recent) = recent
        && owners.len() >= MANY_OWNERS
    {
        visit_last_rows_in_runs(recent, owners, &mut found, &mut visit)?;
    }
    let remaining = owners.iter().zip(found).enumerate().filter(|(_, (_, found))| !found);
    for (index, (owner, _)) in remaining {
        // The bounds are below and above all keys of the owner, which begin with its bytes.
        let from = owner.to_be_bytes();
        let mut to = END;
        if let Some(first) = to.first_chunk_mut() {
            *first = from;
        }
        // With many owners, `visit_last_rows_in_runs` has found all owners that have rows in runs.
        // The others have rows in the main table only.
        let row = if owners.len() >= MANY_OWNERS {
            main.rows_between(Bound::Included(&from), &to)?.next_back()
        } else {
            Walk::new(main, recent, &from, &to, Order::Descending)?.next()
        };
        if let Some(row) = row {
            let (key, value) = row?;
            visit(index, &key, &value)?;
        }
    }
    Ok(())
}

/// Calls `visit` for the last row of each owner that has rows in runs, and sets `found` at the
/// owner's index. `owners` ascend.
fn visit_last_rows_in_runs<T: Transaction>(
    recent: &RecentRows<T>,
    owners: &[u32],
    found: &mut [bool],
    visit: &mut impl FnMut(usize, &[u8], &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for run in (0..recent.run_tables.len()).rev() {
        let Some(rows) = recent.rows_between(run, &[], &END)? else { continue };
        // Rows and owners are both read in descending order, so that the first row of an owner is
        // the owner's last one.
        let mut remaining = owners.iter().zip(&mut *found).enumerate().rev().peekable();
        for row in rows.rev() {
            let (key, value) = row?;
            let owner = key.first_chunk().ok_or(Failure::Damaged("a key of a log is too short"))?;
            let owner = u32::from_be_bytes(*owner);
            while remaining.next_if(|(_, (other, _))| **other > owner).is_some() {}
            if let Some((index, (_, found))) = remaining.next_if(|(_, (other, _))| **other == owner)
                && !std::mem::replace(found, true)
            {
                visit(index, &key, &value)?;
            }
        }
    }
    Ok(())
}
