//! [`TableWithRuns`]: a table and its runs, as one table of `dm-store-kv`.
//! [`recent`](crate::recent) defines the terms main table and run.

use std::cell::OnceCell;
use std::ops::Bound;

use dm_store_kv::{Changes, Failure, Order, Rows, log_key, owner_and_number};
use redb::WriteTransaction;

use crate::lazy_table::{Guard, LazyTable, Transaction};
use crate::recent::RecentRows;
use crate::recent::newest::{NewestNumbers, NewestRow};
use crate::recent::read::{Walk, visit_last_rows};

/// A table of `dm-store-kv`: a main table and its runs, in a read transaction or in the transaction
/// of a batch.
pub(crate) struct TableWithRuns<T: Transaction> {
    /// The main table. It holds all rows that are not in runs.
    pub(crate) main: LazyTable<T>,
    /// The runs. `None` for a table that never has runs.
    pub(crate) recent: Option<RecentRows<T>>,
}

impl<T: Transaction> TableWithRuns<T> {
    /// The newest row of an owner in runs. `None` if the owner has none there, in a read, and for a
    /// table without runs.
    ///
    /// A batch looks up the numbers of many owners. So `newest` reads all rows in runs at the first
    /// look-up and keeps the newest number of each owner. A read needs the number of one owner, and
    /// a walk finds it faster.
    fn newest_in_runs(&self, owner: u32) -> Result<Option<NewestRow>, Failure> {
        match &self.recent {
            Some(recent) if T::IS_BATCH => Ok(recent.newest()?.get(owner)),
            _ => Ok(None),
        }
    }
}

impl TableWithRuns<&WriteTransaction> {
    /// Sets the newest numbers in runs to those that the previous batch left in memory. With `None`
    /// they are read from the runs when the first one is needed.
    pub(crate) fn set_newest(&mut self, newest: Option<NewestNumbers>) {
        if let Some(recent) = &mut self.recent {
            recent.newest = newest.map(OnceCell::from).unwrap_or_default();
        }
    }
}

impl<T: Transaction> Rows for TableWithRuns<T> {
    type Key<'a>
        = Guard<'a>
    where
        Self: 'a;
    type Value<'a>
        = Guard<'a>
    where
        Self: 'a;
    type Walk<'a>
        = Walk<'a, T>
    where
        Self: 'a;

    fn get(&self, key: &[u8]) -> Result<Option<Guard<'_>>, Failure> {
        if let Some(recent) = &self.recent
            && let Some(value) = recent.get(key)?
        {
            return Ok(Some(value));
        }
        self.main.get(key)
    }

    fn walk(&self, from: &[u8], to: &[u8], order: Order) -> Result<Walk<'_, T>, Failure> {
        Walk::new(&self.main, self.recent.as_ref(), from, to, order)
    }

    fn last_number(&self, owner: u32, after: u64) -> Result<Option<u64>, Failure> {
        match self.newest_in_runs(owner)? {
            Some(NewestRow { number, .. }) => Ok((number > after).then_some(number)),
            None => self.last_row(owner, after, |number, _| Ok(number)),
        }
    }

    fn last_row<R>(
        &self,
        owner: u32,
        after: u64,
        read: impl FnOnce(u64, &[u8]) -> Result<R, Failure>,
    ) -> Result<Option<R>, Failure> {
        if let (Some(NewestRow { number, run }), Some(recent)) = (self.newest_in_runs(owner)?, &self.recent) {
            if number <= after {
                return Ok(None);
            }
            let key = log_key(owner, number);
            let value = match recent.get_from(run, &key)? {
                Some(value) => Some(value),
                // The row is merged.
                None => self.main.get(&key)?,
            };
            return value.map(|value| read(number, &value)).transpose();
        }
        // No row has the number `u64::MAX`, so it does not matter that the addition saturates.
        let (from, to) = (log_key(owner, after.saturating_add(1)), log_key(owner, u64::MAX));
        let last = if T::IS_BATCH {
            // An owner without a newest row in runs has rows in the main table only.
            self.main.rows_between(Bound::Included(&from), &to)?.next_back()
        } else {
            self.walk(&from, &to, Order::Descending)?.next()
        };
        let Some(row) = last else { return Ok(None) };
        let (key, value) = row?;
        read(owner_and_number(&key)?.1, &value).map(Some)
    }

    fn last_of_each(
        &self,
        owners: &[u32],
        visit: impl FnMut(usize, &[u8], &[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        visit_last_rows(&self.main, self.recent.as_ref(), owners, visit)
    }
}

impl Changes for TableWithRuns<&WriteTransaction> {
    fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        match &mut self.recent {
            Some(recent) => recent.insert(key, value),
            None => self.main.insert(key, value),
        }
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Failure> {
        match &self.recent {
            // The row may be in the main table or in any run, and `remove_between` removes from all
            // of them. Both of its bounds are included, so this removes exactly the row `key`.
            Some(_) => self.remove_between(key, key),
            None => self.main.remove(key),
        }
    }

    /// Removes the rows between two keys, both included, from the main table and the runs. A row
    /// that was merged also stays in its run, where reads skip it.
    fn remove_between(&mut self, from: &[u8], to: &[u8]) -> Result<(), Failure> {
        if let Some(recent) = &mut self.recent {
            recent.remove_between(from, to)?;
        }
        self.main.remove_between(Bound::Included(from), to)
    }
}
