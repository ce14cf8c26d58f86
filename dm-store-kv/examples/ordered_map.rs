//! A store in memory, on the ordered map of the standard library.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use dm_core::store::{Answer, Done, Embedded, EngineWriter, Outcome, Store as _, StoreError, Write};
use dm_store_kv::{Changes, Failure, Heads, Order, Reader, Rows, Snapshots, Tables, apply};

/// A table: a map of keys to values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table(BTreeMap<Vec<u8>, Vec<u8>>);

impl Rows for Table {
    type Key<'a> = &'a [u8];
    type Value<'a> = &'a [u8];
    type Walk<'a> = Box<dyn Iterator<Item = Result<(&'a [u8], &'a [u8]), Failure>> + 'a>;

    fn get(&self, key: &[u8]) -> Result<Option<&[u8]>, Failure> {
        Ok(self.0.get(key).map(Vec::as_slice))
    }

    fn walk(&self, from: &[u8], to: &[u8], order: Order) -> Result<Self::Walk<'_>, Failure> {
        if from > to {
            return Ok(Box::new(std::iter::empty()));
        }
        let rows = self.0.range::<[u8], _>((Bound::Included(from), Bound::Included(to)));
        let rows = rows.map(|(key, value)| Ok((key.as_slice(), value.as_slice())));
        let walk: Self::Walk<'_> = match order {
            Order::Ascending => Box::new(rows),
            Order::Descending => Box::new(rows.rev()),
        };
        Ok(walk)
    }
}

impl Changes for Table {
    fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        self.0.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Failure> {
        self.0.remove(key);
        Ok(())
    }
}

/// The committed tables. The reader and the writer of the store share them.
#[derive(Clone, Debug)]
pub(crate) struct Database(Arc<RwLock<Arc<Tables<Table>>>>);

impl Database {
    fn committed(&self) -> Arc<Tables<Table>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Snapshots for Database {
    type Table<'a> = Table;

    fn read<R>(
        &self,
        read: impl FnOnce(&Tables<Self::Table<'_>>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        read(&self.committed())
    }
}

/// The writer of the store.
struct Writer {
    database: Database,
    heads: Heads,
}

impl EngineWriter for Writer {
    fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        // An engine on disk begins a transaction here. The example copies all tables.
        let mut tables = Tables::clone(&*self.database.committed());
        match apply(&mut tables, &mut self.heads, batch) {
            Ok(outcomes) => {
                // An engine on disk commits and syncs here. If the commit fails, the engine must
                // clear the heads.
                *self.database.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tables);
                Ok(outcomes)
            }
            Err(failure) => {
                self.heads.clear();
                Err(failure.into())
            }
        }
    }
}

/// Opens a store without users. A store on disk opens its file or folder here.
pub(crate) fn open() -> Result<Embedded<Reader<Database>>, StoreError> {
    let tables = Tables::try_new(|_name| Ok::<_, StoreError>(Table::default()))?;
    let database = Database(Arc::new(RwLock::new(Arc::new(tables))));
    let writer = Writer { database: database.clone(), heads: Heads::new(1024 * 1024) };
    Embedded::new(writer, Reader::new(database))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StoreError> {
    let store = open()?;
    let opening = dm_conformance::build::open(1, 1, 2);
    let outcomes = store.commit(vec![opening]).await?;
    let is_opened = |done: &Done| matches!(done.answer, Answer::ConversationOpened(_));
    assert!(matches!(&*outcomes, [Outcome::Done(done)] if is_opened(done)));
    Ok(())
}
