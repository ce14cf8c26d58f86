//! A table: one of several in a keyspace, which is fjall's ordered map.

use fjall::{Keyspace, OwnedWriteBatch, UserKey, UserValue};

/// A table: the rows of a keyspace whose keys begin with the byte `prefix`.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) keyspace: Keyspace,
    pub(crate) prefix: u8,
}

impl Table {
    /// Adds the insertion of a row to a batch of fjall.
    pub(crate) fn write(&self, batch: &mut OwnedWriteBatch, key: &[u8], value: impl Into<UserValue>) {
        batch.insert(&self.keyspace, prefixed(self.prefix, key), value);
    }

    /// Whether both tables are in the same keyspace of the same open database.
    pub(crate) fn shares_keyspace(&self, other: &Self) -> bool {
        std::ptr::eq(&*self.keyspace, &*other.keyspace)
    }
}

/// The key of a row in fjall: the byte of its table, then the row's key.
pub(crate) fn prefixed(prefix: u8, key: &[u8]) -> UserKey {
    // Except for keys of records, a key has up to 32 bytes, and a bound of a walk up to 33. With the
    // prefix, both fit into 34 bytes on the stack. fjall stores a short key without an allocation,
    // so there is none here either.
    let mut bytes = [prefix; 34];
    if let Some(after_prefix) = bytes.get_mut(1..=key.len()) {
        after_prefix.copy_from_slice(key);
    }
    match bytes.get(..=key.len()) {
        Some(whole) => whole.into(),
        None => [&[prefix], key].concat().into(),
    }
}
