//! A table, which is a part of a keyspace.

use fjall::{Keyspace, OwnedWriteBatch, UserKey, UserValue};

/// A table: the rows of a keyspace whose keys begin with the table's byte.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) keyspace: Keyspace,
    pub(crate) prefix: u8,
}

impl Table {
    /// Adds a row to a batch of the engine.
    pub(crate) fn write(&self, batch: &mut OwnedWriteBatch, key: &[u8], value: impl Into<UserValue>) {
        batch.insert(&self.keyspace, prefixed(self.prefix, key), value);
    }

    /// Whether both are in the same keyspace of the same open database.
    pub(crate) fn shares_keyspace(&self, other: &Self) -> bool {
        std::ptr::eq(&*self.keyspace, &*other.keyspace)
    }
}

/// A key of fjall: the byte of the table, and the key of the row.
pub(crate) fn prefixed(prefix: u8, key: &[u8]) -> UserKey {
    // The longest key has 32 bytes, a bound 33. Most are short enough to need no allocation.
    let mut bytes = [prefix; 34];
    if let Some(rest) = bytes.get_mut(1..=key.len()) {
        rest.copy_from_slice(key);
    }
    match bytes.get(..=key.len()) {
        Some(whole) => whole.into(),
        None => [&[prefix], key].concat().into(),
    }
}
