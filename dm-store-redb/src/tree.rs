//! Trees of redb, each opened at its first use: a read uses three or four of some twenty, and a
//! batch not many more.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::{Bound, Deref};

use dm_store_kv::Failure;
use redb::{
    AccessGuard, Range, ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, TableError,
    WriteTransaction,
};

use crate::error::failed;

/// The type of keys and values, as redb names it.
pub(crate) type Bytes = &'static [u8];

/// The definition of a table of redb.
pub(crate) fn table(name: &str) -> TableDefinition<'_, Bytes, Bytes> {
    TableDefinition::new(name)
}

/// A transaction of redb, in which trees are opened: for a read or for a batch.
pub(crate) trait Transaction: Copy {
    type Table: ReadableTable<Bytes, Bytes>;

    /// Whether the transaction is a batch. Nothing else writes to the database meanwhile.
    const IS_BATCH: bool;

    fn open(self, name: &str) -> Result<Self::Table, TableError>;
}

impl Transaction for &ReadTransaction {
    type Table = ReadOnlyTable<Bytes, Bytes>;

    const IS_BATCH: bool = false;

    fn open(self, name: &str) -> Result<Self::Table, TableError> {
        self.open_table(table(name))
    }
}

impl<'txn> Transaction for &'txn WriteTransaction {
    type Table = Table<'txn, Bytes, Bytes>;

    const IS_BATCH: bool = true;

    /// Creates the table if it is missing.
    fn open(self, name: &str) -> Result<Self::Table, TableError> {
        self.open_table(table(name))
    }
}

/// A table of redb.
pub(crate) struct Tree<T: Transaction> {
    transaction: T,
    name: Cow<'static, str>,
    opened: OnceCell<T::Table>,
}

/// A key or value, in redb's page.
pub(crate) struct Guard<'a>(AccessGuard<'a, Bytes>);

impl Deref for Guard<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.value()
    }
}

/// The rows between two keys, from both ends. `None` for no rows.
pub(crate) struct Between<'a>(Option<Range<'a, Bytes, Bytes>>);

/// The key and the value of a row.
pub(crate) type Row<'a> = Result<(Guard<'a>, Guard<'a>), Failure>;

impl<T: Transaction> Tree<T> {
    pub(crate) fn new(transaction: T, name: impl Into<Cow<'static, str>>) -> Self {
        Self { transaction, name: name.into(), opened: OnceCell::new() }
    }

    pub(crate) fn table(&self) -> Result<&T::Table, Failure> {
        if let Some(table) = self.opened.get() {
            return Ok(table);
        }
        let table = self.transaction.open(&self.name).map_err(failed)?;
        Ok(self.opened.get_or_init(|| table))
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Guard<'_>>, Failure> {
        Ok(self.table()?.get(key).map_err(failed)?.map(Guard))
    }

    /// The rows from a bound to a key, included.
    pub(crate) fn between(&self, from: Bound<&[u8]>, to: &[u8]) -> Result<Between<'_>, Failure> {
        // redb documents no behaviour for a range whose start is above its end.
        let is_empty = match from {
            Bound::Included(from) => from > to,
            Bound::Excluded(from) => from >= to,
            Bound::Unbounded => false,
        };
        if is_empty {
            return Ok(Between(None));
        }
        let rows = self.table()?.range::<&[u8]>((from, Bound::Included(to)));
        Ok(Between(Some(rows.map_err(failed)?)))
    }
}

impl<'txn> Tree<&'txn WriteTransaction> {
    /// The table, for a change.
    fn table_mut(&mut self) -> Result<&mut Table<'txn, Bytes, Bytes>, Failure> {
        self.table()?;
        // It was opened above.
        self.opened.get_mut().ok_or(Failure::Damaged("a table is not open"))
    }

    pub(crate) fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        self.table_mut()?.insert(key, value).map(drop).map_err(failed)
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Result<(), Failure> {
        self.table_mut()?.remove(key).map(drop).map_err(failed)
    }

    pub(crate) fn remove_between(&mut self, from: Bound<&[u8]>, to: &[u8]) -> Result<(), Failure> {
        // Most often there are no rows, and a look costs less than a change of nothing.
        if self.between(from, to)?.next().is_none() {
            return Ok(());
        }
        self.table_mut()?.retain_in::<&[u8], _>((from, Bound::Included(to)), |_, _| false).map_err(failed)
    }

    /// Deletes the tree with all its rows.
    pub(crate) fn delete(self) -> Result<(), Failure> {
        let Self { transaction, name, opened } = self;
        // redb refuses to delete a table that is open.
        drop(opened);
        transaction.delete_table(table(&name)).map(drop).map_err(failed)
    }
}

impl Between<'_> {
    pub(crate) const fn none() -> Self {
        Self(None)
    }
}

impl<'a> Iterator for Between<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        self.0.as_mut()?.next().map(row)
    }
}

impl DoubleEndedIterator for Between<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.as_mut()?.next_back().map(row)
    }
}

type Guards<'a> = (AccessGuard<'a, Bytes>, AccessGuard<'a, Bytes>);

fn row(row: Result<Guards<'_>, redb::StorageError>) -> Row<'_> {
    row.map(|(key, value)| (Guard(key), Guard(value))).map_err(failed)
}
