//! [`LazyTable`]: a table of redb that is opened at its first use. There are 19 tables and up to 32
//! runs. A read or a batch uses only some of them, so it would be wasteful to open all.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::{Bound, Deref};

use dm_store_kv::Failure;
use redb::{
    AccessGuard, Range, ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, TableError,
    WriteTransaction,
};

use crate::error::to_failure;

/// The type of keys and values in redb's terms.
pub(crate) type Bytes = &'static [u8];

/// The definition of a table with keys and values of bytes.
pub(crate) fn definition(name: &str) -> TableDefinition<'_, Bytes, Bytes> {
    TableDefinition::new(name)
}

/// A transaction of redb: a read transaction, or the write transaction of a batch.
pub(crate) trait Transaction: Copy {
    /// An open table.
    type Table: ReadableTable<Bytes, Bytes>;

    /// Whether this is the write transaction of a batch. While a write transaction is open, nothing
    /// else writes to the database.
    const IS_BATCH: bool;

    /// Opens the table `name`.
    fn open(self, name: &str) -> Result<Self::Table, TableError>;
}

impl Transaction for &ReadTransaction {
    type Table = ReadOnlyTable<Bytes, Bytes>;

    const IS_BATCH: bool = false;

    fn open(self, name: &str) -> Result<Self::Table, TableError> {
        self.open_table(definition(name))
    }
}

impl<'txn> Transaction for &'txn WriteTransaction {
    type Table = Table<'txn, Bytes, Bytes>;

    const IS_BATCH: bool = true;

    /// Creates the table if it is missing.
    fn open(self, name: &str) -> Result<Self::Table, TableError> {
        self.open_table(definition(name))
    }
}

/// A table of redb that is opened at its first use.
pub(crate) struct LazyTable<T: Transaction> {
    transaction: T,
    name: Cow<'static, str>,
    opened: OnceCell<T::Table>,
}

/// A key or value, borrowed from redb's page.
pub(crate) struct Guard<'a>(AccessGuard<'a, Bytes>);

impl Deref for Guard<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.value()
    }
}

/// An iterator over the rows between two keys, in both directions. `None` if the range has no rows.
pub(crate) struct RowsBetween<'a>(Option<Range<'a, Bytes, Bytes>>);

/// The key and the value of a row.
pub(crate) type Row<'a> = Result<(Guard<'a>, Guard<'a>), Failure>;

impl<T: Transaction> LazyTable<T> {
    /// A table that is not opened yet.
    pub(crate) fn new(transaction: T, name: impl Into<Cow<'static, str>>) -> Self {
        Self { transaction, name: name.into(), opened: OnceCell::new() }
    }

    /// The open table. The first call opens the table.
    pub(crate) fn table(&self) -> Result<&T::Table, Failure> {
        if let Some(table) = self.opened.get() {
            return Ok(table);
        }
        let table = self.transaction.open(&self.name).map_err(to_failure)?;
        Ok(self.opened.get_or_init(|| table))
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Guard<'_>>, Failure> {
        Ok(self.table()?.get(key).map_err(to_failure)?.map(Guard))
    }

    /// The rows from the bound `from` to the key `to`, which is included.
    pub(crate) fn rows_between(&self, from: Bound<&[u8]>, to: &[u8]) -> Result<RowsBetween<'_>, Failure> {
        // redb documents no behaviour for a range whose start is above its end.
        let is_empty = match from {
            Bound::Included(from) => from > to,
            Bound::Excluded(from) => from >= to,
            Bound::Unbounded => false,
        };
        if is_empty {
            return Ok(RowsBetween(None));
        }
        let rows = self.table()?.range::<&[u8]>((from, Bound::Included(to)));
        Ok(RowsBetween(Some(rows.map_err(to_failure)?)))
    }
}

impl<'txn> LazyTable<&'txn WriteTransaction> {
    /// The open table, for changes. The first call opens the table.
    fn table_mut(&mut self) -> Result<&mut Table<'txn, Bytes, Bytes>, Failure> {
        self.table()?;
        // The call above opened the table.
        self.opened.get_mut().ok_or(Failure::Damaged("a table is not open"))
    }

    pub(crate) fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        self.table_mut()?.insert(key, value).map(drop).map_err(to_failure)
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Result<(), Failure> {
        self.table_mut()?.remove(key).map(drop).map_err(to_failure)
    }

    /// Removes the rows from the bound `from` to the key `to`, which is included.
    pub(crate) fn remove_between(&mut self, from: Bound<&[u8]>, to: &[u8]) -> Result<(), Failure> {
        // Usually there are no rows to remove. Looking for the first row costs less than a removal
        // that finds none.
        if self.rows_between(from, to)?.next().is_none() {
            return Ok(());
        }
        self.table_mut()?.retain_in::<&[u8], _>((from, Bound::Included(to)), |_, _| false).map_err(to_failure)
    }

    /// Deletes the table with all its rows.
    pub(crate) fn delete(self) -> Result<(), Failure> {
        let Self { transaction, name, opened } = self;
        // redb does not delete an open table.
        drop(opened);
        transaction.delete_table(definition(&name)).map(drop).map_err(to_failure)
    }
}

impl RowsBetween<'_> {
    pub(crate) const fn none() -> Self {
        Self(None)
    }
}

impl<'a> Iterator for RowsBetween<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        self.0.as_mut()?.next().map(row)
    }
}

impl DoubleEndedIterator for RowsBetween<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.as_mut()?.next_back().map(row)
    }
}

type Guards<'a> = (AccessGuard<'a, Bytes>, AccessGuard<'a, Bytes>);

fn row(row: Result<Guards<'_>, redb::StorageError>) -> Row<'_> {
    row.map(|(key, value)| (Guard(key), Guard(value))).map_err(to_failure)
}
