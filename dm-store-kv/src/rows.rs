//! The rows of a table as an engine offers them, in the order of their keys, and changes to them.

use std::ops::Deref;

use crate::codec::{Fields, log_key, owner_and_number};
use crate::failure::Failure;

/// Which way to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the lowest key.
    Ascending,
    /// From the highest.
    Descending,
}

/// A table in one state: a map of bytes to bytes, in the order of the keys' bytes.
///
/// # Contract
/// 1. Everything that is asked of it, and of the tables beside it, is answered from one state: the
///    newest that was committed when it was made, and in a batch also all that the batch changed
///    before.
/// 2. A walk yields the rows between two keys, both included, in the order that was asked for, each
///    once. Where `from` is above `to` it yields none.
///    A bound may be empty, which is below every key. Keys have 1 to 32 bytes, bounds at most 33.
/// 3. A walk is lazy: it often ends after one row of very many. What it yields may borrow from the
///    table, so that no value has to be copied.
pub trait Rows {
    /// A key of a row.
    type Key<'a>: Deref<Target = [u8]>
    where
        Self: 'a;
    /// The value of a row.
    type Value<'a>: Deref<Target = [u8]>
    where
        Self: 'a;
    /// A walk.
    type Walk<'a>: Iterator<Item = Result<(Self::Key<'a>, Self::Value<'a>), Failure>>
    where
        Self: 'a;

    /// The value of a key.
    ///
    /// # Errors
    /// What the engine says.
    fn get(&self, key: &[u8]) -> Result<Option<Self::Value<'_>>, Failure>;

    /// The rows between two keys.
    ///
    /// # Errors
    /// What the engine says.
    fn walk(&self, from: &[u8], to: &[u8], order: Order) -> Result<Self::Walk<'_>, Failure>;

    /// The number of the last row of an owner in a log, whose keys are the owner and a number: that
    /// number if it is above `after`, up to which rows may have been removed.
    ///
    /// # Errors
    /// What the engine says, and a key that is none.
    fn last_number(&self, owner: u32, after: u64) -> Result<Option<u64>, Failure> {
        let from = log_key(owner, after.saturating_add(1));
        let last = self.walk(&from, &log_key(owner, u64::MAX), Order::Descending)?.next();
        last.map(|row| Ok(owner_and_number(&row?.0)?.1)).transpose()
    }

    /// Visits the last row of each of some owners, which are the first four bytes of the keys:
    /// where the owner stands in `owners`, the key and the value. Owners ascend; those who have no
    /// row are left out. In any order.
    ///
    /// # Errors
    /// What the engine says, and what the visit fails with.
    fn last_of_each(
        &self,
        owners: &[u32],
        mut visit: impl FnMut(usize, &[u8], &[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for (index, owner) in owners.iter().enumerate() {
            let last =
                self.walk(&log_key(*owner, 0), &log_key(*owner, u64::MAX), Order::Descending)?.next();
            if let Some(row) = last {
                let (key, value) = row?;
                visit(index, &key, &value)?;
            }
        }
        Ok(())
    }
}

/// A table that a batch changes. Nobody sees the changes before the batch is committed.
///
/// # Contract
/// 4. Nobody else changes the tables of a store while a batch does.
/// 5. An error ends the batch: nothing of it is committed.
pub trait Changes: Rows {
    /// Adds a row, or gives it another value.
    ///
    /// # Errors
    /// What the engine says.
    fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure>;

    /// Removes a row, if it is there.
    ///
    /// # Errors
    /// What the engine says.
    fn remove(&mut self, key: &[u8]) -> Result<(), Failure>;

    /// Removes the rows between two keys, both included.
    ///
    /// # Errors
    /// What the engine says.
    fn remove_between(&mut self, from: &[u8], to: &[u8]) -> Result<(), Failure> {
        let keys = self
            .walk(from, to, Order::Ascending)?
            .map(|row| row.map(|(key, _)| key.to_vec()))
            .collect::<Result<Vec<_>, _>>()?;
        keys.iter().try_for_each(|key| self.remove(key))
    }
}

/// Ways to look that every table has.
pub(crate) trait RowsExt: Rows {
    /// The rows between two keys, both included, from the lowest.
    fn scan(&self, from: &[u8], to: &[u8]) -> Result<Self::Walk<'_>, Failure> {
        self.walk(from, to, Order::Ascending)
    }

    /// The decoded value of a key.
    fn find<T>(
        &self,
        key: &[u8],
        decode: impl FnOnce(Fields<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        self.get(key)?.map(|value| decode(Fields::new(&value))).transpose()
    }

    /// The decoded last row between two keys, both included.
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

    /// The number after the highest in a table whose keys are refs.
    fn next_ref(&self) -> Result<u32, Failure> {
        let last = self.last_in(&[], &[u8::MAX; 5], |key, _| key.last(Fields::u32))?;
        last.unwrap_or(0).checked_add(1).ok_or(Failure::Exhausted)
    }
}

impl<T: Rows> RowsExt for T {}
