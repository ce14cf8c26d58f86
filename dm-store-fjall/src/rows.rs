//! The rows of a table: read in a snapshot, and changed by a batch.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::ops::Deref;

use dm_store_kv::{Changes, Failure, Order, Rows};
use fjall::{Iter, OwnedWriteBatch, Readable, Snapshot, UserKey, UserValue};

use crate::error::to_failure;
use crate::table::{Table, prefixed};

/// A table that is read in a snapshot.
pub(crate) struct SnapshotTable<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) table: &'a Table,
}

/// A table that a batch is changing: the table in a snapshot, and the changes in memory.
///
/// fjall has a write transaction that does the same, with a skip list for each keyspace. The store
/// does not use it: a host would have to open its database as a transactional one, and a
/// transaction locks out only writers that also use transactions. The transaction is not faster,
/// either. With it, the engine alone wrote 92,000 messages per second instead of 98,000 (medians of
/// five runs). The map of this type, with its look-ups, takes a tenth of the commit thread's time.
pub(crate) struct BatchTable<'a> {
    base: SnapshotTable<'a>,
    /// The new values of changed rows, and `None` for removed rows. Each key begins with the byte
    /// [`Table::prefix`].
    changes: BTreeMap<UserKey, Option<UserValue>>,
}

impl<'a> BatchTable<'a> {
    pub(crate) const fn new(base: SnapshotTable<'a>) -> Self {
        Self { base, changes: BTreeMap::new() }
    }

    /// The number of changed rows.
    pub(crate) fn changed_rows(&self) -> usize {
        self.changes.len()
    }

    /// Adds all changes to a batch of fjall.
    pub(crate) fn write_to(self, batch: &mut OwnedWriteBatch) {
        let keyspace = &self.base.table.keyspace;
        for (key, value) in self.changes {
            match value {
                Some(value) => batch.insert(keyspace, key, value),
                None => batch.remove(keyspace, key),
            }
        }
    }
}

/// The key of a row as fjall stores it, with the byte [`Table::prefix`]. Derefs to the key without
/// this byte.
pub(crate) struct Key(UserKey);

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.get(1..).unwrap_or_default()
    }
}

impl SnapshotTable<'_> {
    fn prefixed_key(&self, key: &[u8]) -> UserKey {
        prefixed(self.table.prefix, key)
    }
}

impl Rows for SnapshotTable<'_> {
    type Key<'a>
        = Key
    where
        Self: 'a;
    type Value<'a>
        = UserValue
    where
        Self: 'a;
    type Walk<'a>
        = Walk<'a>
    where
        Self: 'a;

    fn get(&self, key: &[u8]) -> Result<Option<UserValue>, Failure> {
        self.snapshot.get(&self.table.keyspace, self.prefixed_key(key)).map_err(to_failure)
    }

    fn walk(&self, from: &[u8], to: &[u8], order: Order) -> Result<Walk<'_>, Failure> {
        // fjall documents no behaviour for a range whose start is above its end.
        let rows = (from <= to).then(|| {
            self.snapshot.range(&self.table.keyspace, self.prefixed_key(from)..=self.prefixed_key(to))
        });
        Ok(Walk { rows, changes: None, order, row: None, change: None })
    }
}

impl Rows for BatchTable<'_> {
    type Key<'a>
        = Key
    where
        Self: 'a;
    type Value<'a>
        = UserValue
    where
        Self: 'a;
    type Walk<'a>
        = Walk<'a>
    where
        Self: 'a;

    fn get(&self, key: &[u8]) -> Result<Option<UserValue>, Failure> {
        match self.changes.get(&self.base.prefixed_key(key)) {
            Some(change) => Ok(change.clone()),
            None => self.base.get(key),
        }
    }

    fn walk(&self, from: &[u8], to: &[u8], order: Order) -> Result<Walk<'_>, Failure> {
        let changes = (from <= to)
            .then(|| self.changes.range(self.base.prefixed_key(from)..=self.base.prefixed_key(to)));
        Ok(Walk { changes, ..self.base.walk(from, to, order)? })
    }
}

impl Changes for BatchTable<'_> {
    fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        self.changes.insert(self.base.prefixed_key(key), Some(value.into()));
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Failure> {
        self.changes.insert(self.base.prefixed_key(key), None);
        Ok(())
    }
}

/// A walk over the rows in a snapshot and over the changes of a batch, merged in the order of the
/// keys. If both have the same key, the change replaces the row.
pub(crate) struct Walk<'a> {
    /// The rows in the snapshot; `None` if the bounds of the walk are in the wrong order.
    rows: Option<Iter>,
    /// The changes of the batch; `None` in a walk without a batch, or with bounds in the wrong
    /// order.
    changes: Option<Range<'a, UserKey, Option<UserValue>>>,
    order: Order,
    /// The next row, read ahead.
    row: Option<(UserKey, UserValue)>,
    /// The next change, read ahead.
    change: Option<(&'a UserKey, &'a Option<UserValue>)>,
}

impl Walk<'_> {
    /// Returns the next row of the merged walk; `None` at the end.
    fn advance(&mut self) -> Result<Option<(UserKey, UserValue)>, Failure> {
        loop {
            if self.row.is_none()
                && let Some(rows) = &mut self.rows
            {
                let next = if self.order == Order::Ascending { rows.next() } else { rows.next_back() };
                self.row = next.map(fjall::Guard::into_inner).transpose().map_err(to_failure)?;
            }
            if self.change.is_none()
                && let Some(changes) = &mut self.changes
            {
                self.change =
                    if self.order == Order::Ascending { changes.next() } else { changes.next_back() };
            }
            // `Less` if the row comes first, `Greater` if the change does, and `Equal` if both have
            // the same key.
            let first = match (&self.row, self.change) {
                (None, None) => return Ok(None),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((row, _)), Some((change, _))) if self.order == Order::Ascending => row.cmp(change),
                (Some((row, _)), Some((change, _))) => change.cmp(row),
            };
            if first == Ordering::Less {
                return Ok(self.row.take());
            }
            if first == Ordering::Equal {
                self.row = None;
            }
            // If the change removes a row, the loop goes on to the next key.
            if let Some((key, Some(value))) = self.change.take() {
                return Ok(Some((key.clone(), value.clone())));
            }
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<(Key, UserValue), Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().map(|row| row.map(|(key, value)| (Key(key), value))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use fjall::Database;

    use super::*;
    use crate::config::FjallConfig;
    use crate::tables::{self, batch_tables, snapshot_tables};

    /// Three rows in the keyspace, and a batch that changes one, removes one and adds two.
    #[test]
    fn a_batch_sees_its_changes_in_both_orders() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::builder(folder.path()).open().unwrap();
        let tables = tables::open(&database, &FjallConfig::default()).unwrap();
        for key in [2, 4, 6] {
            tables.inbox.keyspace.insert([13, key], "old").unwrap();
        }
        let snapshot = database.snapshot();
        let mut inbox = batch_tables(&tables, &snapshot).inbox;
        inbox.insert(&[1], b"new").unwrap();
        inbox.insert(&[4], b"new").unwrap();
        inbox.insert(&[7], b"new").unwrap();
        inbox.remove(&[2]).unwrap();
        let rows = |from: u8, to: u8, order| -> Vec<(u8, String)> {
            let rows = inbox.walk(&[from], &[to], order).unwrap().map(Result::unwrap);
            rows.map(|(key, value)| (key[0], String::from_utf8(value.to_vec()).unwrap())).collect()
        };
        let new = "new".to_owned();
        let mut expected = vec![(1, new.clone()), (4, new.clone()), (6, "old".to_owned()), (7, new)];
        assert_eq!(rows(0, 9, Order::Ascending), expected);
        expected.reverse();
        assert_eq!(rows(0, 9, Order::Descending), expected);
        assert_eq!(rows(2, 4, Order::Ascending), [(4, "new".to_owned())]);
        assert!(rows(9, 0, Order::Ascending).is_empty());
        assert!(rows(2, 3, Order::Descending).is_empty());

        inbox.remove_between(&[4], &[6]).unwrap();
        assert!(inbox.get(&[4]).unwrap().is_none());
        assert!(inbox.get(&[6]).unwrap().is_none());
        assert_eq!(inbox.walk(&[0], &[9], Order::Ascending).unwrap().count(), 2);
        assert_eq!(
            snapshot_tables(&tables, &snapshot).inbox.walk(&[0], &[9], Order::Ascending).unwrap().count(),
            3,
            "the snapshot has no changes of the batch"
        );
    }
}
