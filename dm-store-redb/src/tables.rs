//! Every table, with the bytes of its keys and values.
//!
//! All are maps of bytes to bytes, so that no type of Rust or of redb is part of the file. Integers are
//! big-endian, and keys sort as their numbers do. A *ref* is a 4-byte number that stands for a user, a
//! conversation or a device of a user inside this file; a *row* is the 8-byte number of a message. A *seq*
//! has 8 bytes, a *time* has 8 bytes (Unix milliseconds), an *id* has 16 bytes, a *public key* has 32.
//!
//! Pages touched per message decide the speed. So wide rows are appended by row, and what is looked up by
//! conversation or by user are narrow tables that point at them. Of the five rows that a message writes, two go
//! to the right edge of their table; of the six with a client id (from clients that make UUIDv7s) three.
//!
//! As key → value:
//!
//! - `dm_schema`: `version` in ASCII → schema version 4; `commit` in ASCII → commits so far 8: tells a store
//!   what another handle of the same database wrote.
//! - `dm_users`: user ref 4 → public key 32.
//! - `dm_user_ids`: public key 32 → user ref 4.
//! - `dm_keys`: user ref 4, version 4 → X25519 key 32, published at 8, binding code 1. The highest version is
//!   current.
//! - `dm_announcements`: publisher's public key 32 → user ref 4, after 4, until 4: peers in the publisher's
//!   conversations with refs above `after` up to `until` are left to tell.
//! - `dm_conversations`: conversation ref 4 → id 16, user ref `a` 4, user ref `b` 4 (`a` has the smaller
//!   public key), opened at 8.
//! - `dm_conversation_ids`: id 16 → conversation ref 4.
//! - `dm_pairs`: user ref `a` 4, user ref `b` 4 → conversation ref 4.
//! - `dm_members`: user ref 4, conversation ref 4 → the peer's user ref 4.
//! - `dm_messages`: row 8 → conversation ref 4, sender's ref 4, recipient's ref 4, sequence 8, seq in the
//!   sender's inbox 8, in the recipient's 8, id 16, sent at 8, received at 8, parts 1, [client id 16], [suite
//!   4], nonce 24, [ephemeral key 32], payload to the end. `parts` says which of the bracketed are there: 1,
//!   2, 4 in that order.
//! - `dm_message_ids`: id 16 → row 8.
//! - `dm_client_ids`: client id 16, sender's ref 4 → row 8. The client's id comes first, because clients that
//!   make UUIDv7s then append to this table, too.
//! - `dm_sequence`: conversation ref 4, sequence 8 → row 8, received at 8. The newest is the conversation's
//!   head and last activity.
//! - `dm_inbox`: user ref 4, seq 8 → queued at 8, origin, then `1` and a row 8, or `2` and an encoded notice
//!   to the end. Origin is `255` for none, `0` for the default device, or a length 1 to 64 and that much
//!   text.
//! - `dm_floors`: user ref 4 → seq 8 of the newest entry that expired; none before the first. The next number
//!   is above it even when the inbox is empty.
//! - `dm_oldest`: time 8, user ref 4 → nothing: one for each inbox that holds entries, by when its first one
//!   was queued. Written when an entry goes into an empty inbox and by expiry, so that a send seldom touches
//!   it.
//! - `dm_devices`: user ref 4, device ref 4 → cursor 8, registered at 8, name to the end. In order of
//!   registration.
//! - `dm_acked`: user ref 4, device ref 4, seq 8 → nothing: acknowledged individually, above the cursor.

use redb::{
    Range, ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, TableError,
    WriteTransaction,
};

use crate::codec::Fields;
use crate::error::Failure;

/// The tables as one transaction sees them.
pub(crate) struct Tables<T> {
    pub(crate) schema: T,
    pub(crate) users: T,
    pub(crate) user_ids: T,
    pub(crate) keys: T,
    pub(crate) announcements: T,
    pub(crate) conversations: T,
    pub(crate) conversation_ids: T,
    pub(crate) pairs: T,
    pub(crate) members: T,
    pub(crate) messages: T,
    pub(crate) message_ids: T,
    pub(crate) client_ids: T,
    pub(crate) sequence: T,
    pub(crate) inbox: T,
    pub(crate) floors: T,
    pub(crate) oldest: T,
    pub(crate) devices: T,
    pub(crate) acked: T,
}

/// The name of the table that says how to read the others.
pub(crate) const SCHEMA: &str = "dm_schema";

/// The definition of a table.
pub(crate) const fn table(name: &str) -> TableDefinition<'_, &'static [u8], &'static [u8]> {
    TableDefinition::new(name)
}

impl<T> Tables<T> {
    fn open(open: impl Fn(&'static str) -> Result<T, TableError>) -> Result<Self, TableError> {
        Ok(Self {
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
}

impl Tables<ReadOnlyTable<&'static [u8], &'static [u8]>> {
    pub(crate) fn read(transaction: &ReadTransaction) -> Result<Self, TableError> {
        Self::open(|name| transaction.open_table(table(name)))
    }
}

impl<'txn> Tables<Table<'txn, &'static [u8], &'static [u8]>> {
    /// Makes those that are missing.
    pub(crate) fn write(transaction: &'txn WriteTransaction) -> Result<Self, TableError> {
        Self::open(|name| transaction.open_table(table(name)))
    }
}

/// Removing from a table.
pub(crate) trait Remove {
    /// Removes the rows between two keys, both included.
    fn remove_between(&mut self, from: &[u8], to: &[u8]) -> Result<(), Failure>;
}

impl Remove for Table<'_, &'static [u8], &'static [u8]> {
    fn remove_between(&mut self, from: &[u8], to: &[u8]) -> Result<(), Failure> {
        // Most often there is nothing, and looking is cheaper than a change that changes nothing.
        if self.scan(from, to)?.next().is_none() {
            return Ok(());
        }
        Ok(self.retain_in(from..=to, |_, _| false)?)
    }
}

/// Looking into a table, in a transaction of either kind.
pub(crate) trait Rows: ReadableTable<&'static [u8], &'static [u8]> {
    /// What the value of a key decodes to.
    fn find<T>(
        &self,
        key: &[u8],
        decode: impl FnOnce(Fields<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        self.get(key)?.map(|value| decode(Fields::new(value.value()))).transpose()
    }

    /// The rows between two keys, both included.
    fn scan(&self, from: &[u8], to: &[u8]) -> Result<Range<'_, &'static [u8], &'static [u8]>, Failure> {
        if from > to {
            // Nothing lies between; no engine needs to be asked what it makes of such a range.
            return Ok(self.range(to..to)?);
        }
        Ok(self.range(from..=to)?)
    }

    /// What the last row between two keys, both included, decodes to.
    fn last_in<T>(
        &self,
        from: &[u8],
        to: &[u8],
        decode: impl FnOnce(Fields<'_>, Fields<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let Some(row) = self.scan(from, to)?.next_back() else { return Ok(None) };
        let (key, value) = row?;
        decode(Fields::new(key.value()), Fields::new(value.value())).map(Some)
    }

    /// The ref after the highest in a table whose keys are refs.
    fn next_ref(&self) -> Result<u32, Failure> {
        let Some((key, _)) = self.last()? else { return Ok(1) };
        Fields::new(key.value()).last(Fields::u32)?.checked_add(1).ok_or(Failure::Exhausted)
    }
}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> Rows for T {}
