//! The interface of an engine: [`Rows`] reads a table, and [`Changes`] changes a table in a batch.

use std::ops::Deref;

use crate::codec::{Fields, log_key, owner_and_number};
use crate::failure::Failure;

/// The direction of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the lowest key to the highest.
    Ascending,
    /// From the highest key to the lowest.
    Descending,
}

/// A table in one state: a map of bytes to bytes, in the order of the keys' bytes.
///
/// # Contract
/// 1. All tables that are opened together read one state: the newest one that was committed when
///    they were opened. In a batch ([`Changes`]) they also see the batch's earlier changes.
/// 2. A walk yields the rows between two bounds, both included, in the given order, each row once.
///    If `from` is above `to`, the walk yields no row.
/// 3. Keys have 1 to 139 bytes, bounds 0 to 140. An empty bound is below every key, even on an engine
///    that allows no empty key.
/// 4. A walk is lazy, because most walks read one row of a large range. The keys and values of a
///    walk may borrow from the table, so that no value has to be copied.
pub trait Rows {
    /// A key of a row.
    type Key<'a>: Deref<Target = [u8]>
    where
        Self: 'a;
    /// The value of a row.
    type Value<'a>: Deref<Target = [u8]>
    where
        Self: 'a;
    /// An iterator over rows.
    type Walk<'a>: Iterator<Item = Result<(Self::Key<'a>, Self::Value<'a>), Failure>>
    where
        Self: 'a;

    /// The value of a key; `None` if there is no such row.
    ///
    /// # Errors
    /// An error of the engine.
    fn get(&self, key: &[u8]) -> Result<Option<Self::Value<'_>>, Failure>;

    /// The rows between two bounds, both included.
    ///
    /// # Errors
    /// An error of the engine.
    fn walk(&self, from: &[u8], to: &[u8], order: Order) -> Result<Self::Walk<'_>, Failure>;

    /// The number of an owner's last row in a log ([`log_key`]) above `after`; `None` if there is
    /// no row above `after`. Rows up to `after` may have been removed.
    ///
    /// # Errors
    /// An error of the engine; [`Failure::Damaged`] for a key with a wrong length.
    fn last_number(&self, owner: u32, after: u64) -> Result<Option<u64>, Failure> {
        self.last_row(owner, after, |number, _| Ok(number))
    }

    /// Calls `read` with the number and the value of an owner's last row in a log ([`log_key`])
    /// above `after`, and returns the result; `None` if there is no row above `after`. Rows up to
    /// `after` may have been removed.
    ///
    /// # Errors
    /// An error of the engine or of `read`; [`Failure::Damaged`] for a key with a wrong length.
    fn last_row<R>(
        &self,
        owner: u32,
        after: u64,
        read: impl FnOnce(u64, &[u8]) -> Result<R, Failure>,
    ) -> Result<Option<R>, Failure> {
        let from = log_key(owner, after.saturating_add(1));
        let Some(row) = self.walk(&from, &log_key(owner, u64::MAX), Order::Descending)?.next() else {
            return Ok(None);
        };
        let (key, value) = row?;
        read(owner_and_number(&key)?.1, &value).map(Some)
    }

    /// Calls `visit` for the last row of each owner in a log ([`log_key`]). The arguments of
    /// `visit` are the index of the owner in `owners`, the key of the row and its value. `owners`
    /// must ascend. The order of the calls is not defined. An owner without rows causes no call.
    ///
    /// # Errors
    /// An error of the engine or of `visit`.
    fn last_of_each(
        &self,
        owners: &[u32],
        mut visit: impl FnMut(usize, &[u8], &[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for (index, owner) in owners.iter().enumerate() {
            let last = self.walk(&log_key(*owner, 0), &log_key(*owner, u64::MAX), Order::Descending)?.next();
            if let Some(row) = last {
                let (key, value) = row?;
                visit(index, &key, &value)?;
            }
        }
        Ok(())
    }
}

/// A table that a batch is changing: a mutable [`Rows`]. A *batch* is a list of writes that are
/// committed together ([`apply`](crate::apply)). Reads through this table see the changes at once,
/// other readers only after the commit.
///
/// # Contract
/// In addition to the contract of [`Rows`]:
///
/// 5. Nothing else changes the tables of a store while a batch changes them.
/// 6. An error ends the batch: nothing of the batch is committed.
pub trait Changes: Rows {
    /// Adds a row, or replaces its value.
    ///
    /// # Errors
    /// An error of the engine.
    fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure>;

    /// Removes a row if it exists.
    ///
    /// # Errors
    /// An error of the engine.
    fn remove(&mut self, key: &[u8]) -> Result<(), Failure>;

    /// Removes the rows between two keys, both included.
    ///
    /// # Errors
    /// An error of the engine.
    fn remove_between(&mut self, from: &[u8], to: &[u8]) -> Result<(), Failure> {
        let keys = self
            .walk(from, to, Order::Ascending)?
            .map(|row| row.map(|(key, _)| key.to_vec()))
            .collect::<Result<Vec<_>, _>>()?;
        keys.iter().try_for_each(|key| self.remove(key))
    }
}

/// Look-ups on any table, built on [`Rows`].
pub(crate) trait RowsExt: Rows {
    /// The rows between two bounds, both included, from the lowest key.
    fn scan(&self, from: &[u8], to: &[u8]) -> Result<Self::Walk<'_>, Failure> {
        self.walk(from, to, Order::Ascending)
    }

    /// Decodes the value of a key; `None` if there is no such row.
    fn find<T>(
        &self,
        key: &[u8],
        decode: impl FnOnce(Fields<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        self.get(key)?.map(|value| decode(Fields::new(&value))).transpose()
    }

    /// Decodes the key and the value of the last row between two bounds, both included; `None` if
    /// there is no row.
    fn last_in<T>(
        &self,
        from: &[u8],
        to: &[u8],
        decode: impl FnOnce(Fields<'_>, Fields<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let Some(row) = self.walk(from, to, Order::Descending)?.next() else { return Ok(None) };
        let (key, value) = row?;
        decode(Fields::new(&key), Fields::new(&value)).map(Some)
    }

    /// The next unused ref in a table whose keys are refs: 1 in an empty table, otherwise the
    /// highest ref plus one.
    fn next_ref(&self) -> Result<u32, Failure> {
        // The upper bound is longer than a key, so it is above every key.
        let last = self.last_in(&[], &[u8::MAX; 5], |key, _| key.last(Fields::u32))?;
        last.unwrap_or(0).checked_add(1).ok_or(Failure::Exhausted)
    }
}

impl<T: Rows> RowsExt for T {}
