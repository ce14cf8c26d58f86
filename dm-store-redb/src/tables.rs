//! The library's tables in redb. What their rows hold is documented in `dm-store-kv`.
//!
//! Each is a table of redb, from bytes to bytes, whose name begins with `dm_`. Pages touched per message decide the
//! speed. `dm_schema`, which is this crate's own, holds `version` in ASCII → schema version 4, and `commit` in ASCII →
//! commits so far 8, which tells a store what another handle of the same database wrote.

use std::ops::Deref;

use dm_store_kv::{Changes, Failure, Order, Rows, Tables};
use redb::{
    AccessGuard, Range, ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, TableError,
    WriteTransaction,
};

use crate::error::failed;

/// The name of the table that says how to read the others.
pub(crate) const SCHEMA: &str = "dm_schema";

/// Bytes, as redb calls them.
type Bytes = &'static [u8];

/// The definition of a table.
pub(crate) const fn table(name: &str) -> TableDefinition<'_, Bytes, Bytes> {
    TableDefinition::new(name)
}

/// A table in one state.
pub(crate) struct Seen(pub(crate) ReadOnlyTable<Bytes, Bytes>);

/// A table as a transaction changes it.
pub(crate) struct Changed<'txn>(Table<'txn, Bytes, Bytes>);

/// Opens the tables for reading.
pub(crate) fn read(transaction: &ReadTransaction) -> Result<Tables<Seen>, TableError> {
    open(|name| transaction.open_table(table(name)).map(Seen))
}

/// Opens the tables for a batch, and makes those that are missing.
pub(crate) fn write(transaction: &WriteTransaction) -> Result<Tables<Changed<'_>>, TableError> {
    open(|name| transaction.open_table(table(name)).map(Changed))
}

fn open<T>(open: impl Fn(&'static str) -> Result<T, TableError>) -> Result<Tables<T>, TableError> {
    Ok(Tables {
        schema: open(SCHEMA)?,
        users: open("dm_users")?,
        user_ids: open("dm_user_ids")?,
        keys: open("dm_keys")?,
        announcements: open("dm_announcements")?,
        conversations: open("dm_conversations")?,
        conversation_ids: open("dm_conversation_ids")?,
        pairs: open("dm_pairs")?,
        members: open("dm_members")?,
        messages: open("dm_messages")?,
        message_ids: open("dm_message_ids")?,
        client_ids: open("dm_client_ids")?,
        sequence: open("dm_sequence")?,
        inbox: open("dm_inbox")?,
        floors: open("dm_floors")?,
        oldest: open("dm_oldest")?,
        devices: open("dm_devices")?,
        acked: open("dm_acked")?,
    })
}

/// A key or value, in redb's page.
pub(crate) struct Guard<'a>(AccessGuard<'a, Bytes>);

impl Deref for Guard<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.value()
    }
}

/// A walk over a table.
pub(crate) struct Walk<'a> {
    rows: Range<'a, Bytes, Bytes>,
    order: Order,
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<(Guard<'a>, Guard<'a>), Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = match self.order {
            Order::Ascending => self.rows.next(),
            Order::Descending => self.rows.next_back(),
        };
        row.map(|row| row.map(|(key, value)| (Guard(key), Guard(value))).map_err(failed))
    }
}

fn get<'a>(table: &'a impl ReadableTable<Bytes, Bytes>, key: &[u8]) -> Result<Option<Guard<'a>>, Failure> {
    Ok(table.get(key).map_err(failed)?.map(Guard))
}

fn walk<'a>(
    table: &'a impl ReadableTable<Bytes, Bytes>,
    from: &[u8],
    to: &[u8],
    order: Order,
) -> Result<Walk<'a>, Failure> {
    // Nothing lies between keys in the wrong order; no engine needs to be asked what it makes of such a range.
    let rows = if from > to { table.range(to..to) } else { table.range(from..=to) };
    Ok(Walk { rows: rows.map_err(failed)?, order })
}

impl Rows for Seen {
    type Key<'a> = Guard<'a>;
    type Value<'a> = Guard<'a>;
    type Walk<'a> = Walk<'a>;

    fn get(&self, key: &[u8]) -> Result<Option<Guard<'_>>, Failure> {
        get(&self.0, key)
    }

    fn walk(&self, from: &[u8], to: &[u8], order: Order) -> Result<Walk<'_>, Failure> {
        walk(&self.0, from, to, order)
    }
}

impl Rows for Changed<'_> {
    type Key<'a>
        = Guard<'a>
    where
        Self: 'a;
    type Value<'a>
        = Guard<'a>
    where
        Self: 'a;
    type Walk<'a>
        = Walk<'a>
    where
        Self: 'a;

    fn get(&self, key: &[u8]) -> Result<Option<Guard<'_>>, Failure> {
        get(&self.0, key)
    }

    fn walk(&self, from: &[u8], to: &[u8], order: Order) -> Result<Walk<'_>, Failure> {
        walk(&self.0, from, to, order)
    }
}

impl Changes for Changed<'_> {
    fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        self.0.insert(key, value).map(drop).map_err(failed)
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Failure> {
        self.0.remove(key).map(drop).map_err(failed)
    }

    fn remove_between(&mut self, from: &[u8], to: &[u8]) -> Result<(), Failure> {
        // Most often there is nothing, and looking is cheaper than a change that changes nothing.
        if self.walk(from, to, Order::Ascending)?.next().is_none() {
            return Ok(());
        }
        self.0.retain_in(from..=to, |_, _| false).map_err(failed)
    }
}
