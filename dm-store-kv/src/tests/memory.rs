//! An engine in memory that counts its calls.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, RwLock};

use crate::failure::Failure;
use crate::rows::{Changes, Order, Rows};
use crate::tables::Tables;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// The number of calls of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    pub(super) gets: usize,
    pub(super) walks: usize,
    pub(super) inserts: usize,
}

/// The tables whose rows a test can truncate.
#[derive(Clone, Copy)]
pub(super) enum Table {
    ConversationIds,
    Floors,
}

/// The tables of a store in memory, and the count of calls on all of them.
pub(super) struct Memory {
    tables: Tables<SharedTable>,
    calls: Arc<Mutex<Calls>>,
}

/// A table. Clones share its rows.
#[derive(Clone, Default)]
pub(super) struct SharedTable {
    rows: Arc<RwLock<Map>>,
    calls: Arc<Mutex<Calls>>,
}

impl Default for Memory {
    fn default() -> Self {
        let calls = Arc::<Mutex<Calls>>::default();
        let new = |_name: &'static str| {
            Ok::<_, Failure>(SharedTable { rows: Arc::default(), calls: Arc::clone(&calls) })
        };
        let tables = Tables::try_new(new).unwrap();
        Self { tables, calls }
    }
}

impl Memory {
    pub(super) fn tables(&self) -> Tables<SharedTable> {
        self.tables.clone()
    }

    /// The rows of a table, in the order of their keys.
    pub(super) fn rows(table: &SharedTable) -> Vec<(Vec<u8>, Vec<u8>)> {
        table.rows.read().unwrap().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    pub(super) fn calls(&self) -> Calls {
        *self.calls.lock().unwrap()
    }

    pub(super) fn reset_calls(&self) {
        *self.calls.lock().unwrap() = Calls::default();
    }

    /// Truncates the values of all rows of a table to `bytes`.
    pub(super) fn cut(&self, table: Table, bytes: usize) {
        let table = match table {
            Table::ConversationIds => &self.tables.conversation_ids,
            Table::Floors => &self.tables.floors,
        };
        table.rows.write().unwrap().values_mut().for_each(|row| row.truncate(bytes));
    }
}

impl SharedTable {
    fn count(&self, count: impl FnOnce(&mut Calls)) {
        count(&mut self.calls.lock().unwrap());
    }
}

impl Rows for SharedTable {
    type Key<'a> = Vec<u8>;
    type Value<'a> = Vec<u8>;
    type Walk<'a> = std::vec::IntoIter<Result<(Vec<u8>, Vec<u8>), Failure>>;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        self.count(|calls| calls.gets += 1);
        Ok(self.rows.read().unwrap().get(key).cloned())
    }

    fn walk(&self, from: &[u8], to: &[u8], order: Order) -> Result<Self::Walk<'_>, Failure> {
        self.count(|calls| calls.walks += 1);
        let mut found = Vec::new();
        if from <= to {
            let between = (Bound::Included(from), Bound::Included(to));
            let rows = self.rows.read().unwrap();
            found.extend(rows.range::<[u8], _>(between).map(|(key, value)| Ok((key.clone(), value.clone()))));
        }
        if order == Order::Descending {
            found.reverse();
        }
        Ok(found.into_iter())
    }
}

impl Changes for SharedTable {
    fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        self.count(|calls| calls.inserts += 1);
        self.rows.write().unwrap().insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Failure> {
        self.rows.write().unwrap().remove(key);
        Ok(())
    }
}
