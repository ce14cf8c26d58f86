//! Every table, with the bytes of its keys and values.
//!
//! Messages are in one keyspace of fjall, all else in another: making a keyspace takes some 40 ms, and there are 18
//! tables. So the key of each row begins with one byte that says which table it is in, by the numbers below; the rest is
//! what is described here.
//!
//! All are maps of bytes to bytes, so that no type of Rust or of fjall is part of them. Integers are
//! big-endian, and keys sort as their numbers do. A *ref* is a 4-byte number that stands for a user, a
//! conversation or a device of a user inside this folder; a *row* is the 8-byte number of a message. A *seq*
//! has 8 bytes, a *time* has 8 bytes (Unix milliseconds), an *id* has 16 bytes, a *public key* has 32.
//!
//! A log-structured tree writes every row twice at once (journal and memory) and again in each merge, so rows
//! are few and narrow: the wide row of a message is written once, in order, and what is looked up by
//! conversation or by user points at it. A message is six rows, with its client id seven.
//!
//! What is removed leaves a tombstone until a merge drops it, and a scan steps over each one. So no scan
//! begins below what is known to be gone: an inbox is read from its floor, marks from the device's cursor.
//!
//! As key → value:
//!
//! - 0 `schema`: `version` in ASCII → schema version 4.
//! - 1 `users`: user ref 4 → public key 32.
//! - 2 `user_ids`: public key 32 → user ref 4.
//! - 3 `keys`: user ref 4, version 4 → X25519 key 32, published at 8, binding code 1. The highest version is
//!   current.
//! - 4 `announcements`: publisher's public key 32 → user ref 4, after 4, until 4: peers in the publisher's
//!   conversations with refs above `after` up to `until` are left to tell.
//! - 5 `conversations`: conversation ref 4 → id 16, user ref `a` 4, user ref `b` 4 (`a` has the smaller
//!   public key), opened at 8.
//! - 6 `conversation_ids`: id 16 → conversation ref 4.
//! - 7 `pairs`: user ref `a` 4, user ref `b` 4 → conversation ref 4.
//! - 8 `members`: user ref 4, conversation ref 4 → the peer's user ref 4.
//! - 9 `messages`: row 8 → conversation ref 4, sender's ref 4, recipient's ref 4, sequence 8, seq in the
//!   sender's inbox 8, in the recipient's 8, id 16, sent at 8, received at 8, parts 1, [client id 16], [suite
//!   4], nonce 24, [ephemeral key 32], payload to the end. `parts` says which of the bracketed are there: 1,
//!   2, 4 in that order.
//! - 10 `message_ids`: id 16 → row 8.
//! - 11 `client_ids`: client id 16, sender's ref 4 → row 8. The client's id comes first, because clients that
//!   make UUIDv7s then write to this table in order, too.
//! - 12 `sequence`: conversation ref 4, sequence 8 → row 8, received at 8. The newest is the conversation's
//!   head and last activity.
//! - 13 `inbox`: user ref 4, seq 8 → queued at 8, origin, then `1` and a row 8, or `2` and an encoded notice
//!   to the end. Origin is `255` for none, `0` for the default device, or a length 1 to 64 and that much
//!   text.
//! - 14 `floors`: user ref 4 → seq 8 of the newest entry that expired; none before the first. The next number
//!   is above it even when the inbox is empty.
//! - 15 `oldest`: time 8, user ref 4 → nothing: one for each inbox that holds entries, by when its first one
//!   was queued. Written when an entry goes into an empty inbox and by expiry, so that a send seldom touches
//!   it.
//! - 16 `devices`: user ref 4, device ref 4 → cursor 8, registered at 8, name to the end. In order of
//!   registration.
//! - 17 `acked`: user ref 4, device ref 4, seq 8 → nothing: acknowledged individually, above the cursor.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::ops::Bound::Included;

use fjall::config::CompressionPolicy;
use fjall::{
    Database, Iter, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, Readable, Snapshot, UserKey, UserValue,
};

use crate::codec::Fields;
use crate::config::FjallConfig;
use crate::error::Failure;

/// The tables: as keyspaces, as one snapshot of them, or as a batch sees and changes them.
#[derive(Clone)]
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

/// The keyspace of all tables but the messages'.
pub(crate) const ROWS: &str = "dm_rows";
/// The keyspace of the messages.
const MESSAGES: &str = "dm_messages";

/// A table, as a part of a keyspace: its rows are those whose keys begin with its number.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) keyspace: Keyspace,
    table: u8,
}

impl Part {
    /// The key of a row in the keyspace.
    pub(crate) fn key(&self, key: &[u8]) -> UserKey {
        // Without an allocation for what a message writes, of which a client's id and a ref is the longest.
        let mut bytes = [self.table; 24];
        let Some(rest) = bytes.get_mut(1..=key.len()) else {
            return [[self.table].as_slice(), key].concat().into();
        };
        rest.copy_from_slice(key);
        bytes.get(..=key.len()).unwrap_or_default().into()
    }
}

impl Tables<Part> {
    /// Opens the keyspaces, and makes those that are missing.
    pub(crate) fn open(database: &Database, config: &FjallConfig) -> Result<Self, fjall::Error> {
        let narrow = || KeyspaceCreateOptions::default().max_memtable_size(config.memtable_bytes);
        // Payloads are ciphertext: there is nothing to compress. They are not kept apart from their keys either:
        // with fjall's key-value separation, filling a store with a million messages was a sixth slower (47,000 and
        // 58,000 instead of 58,000 and 65,000 messages per second), because rows of half a kilobyte that arrive in
        // the order of their keys are hardly ever merged.
        let wide = || narrow().data_block_compression_policy(CompressionPolicy::disabled());
        let rows = database.keyspace(ROWS, narrow)?;
        let messages = database.keyspace(MESSAGES, wide)?;
        let in_rows = |table| Part { keyspace: rows.clone(), table };
        Ok(Self {
            schema: in_rows(0),
            users: in_rows(1),
            user_ids: in_rows(2),
            keys: in_rows(3),
            announcements: in_rows(4),
            conversations: in_rows(5),
            conversation_ids: in_rows(6),
            pairs: in_rows(7),
            members: in_rows(8),
            messages: Part { keyspace: messages, table: 9 },
            message_ids: in_rows(10),
            client_ids: in_rows(11),
            sequence: in_rows(12),
            inbox: in_rows(13),
            floors: in_rows(14),
            oldest: in_rows(15),
            devices: in_rows(16),
            acked: in_rows(17),
        })
    }

    /// The tables in one state.
    pub(crate) fn seen<'a>(&'a self, snapshot: &'a Snapshot) -> Tables<Seen<'a>> {
        self.each(|part| Seen { snapshot, part })
    }

    /// The tables in one state, and what is changed about it.
    pub(crate) fn changed<'a>(&'a self, snapshot: &'a Snapshot) -> Tables<Changed<'a>> {
        self.each(|part| Changed { seen: Seen { snapshot, part }, changes: BTreeMap::new() })
    }
}

impl Tables<Changed<'_>> {
    /// How many rows are changed.
    pub(crate) fn changes(&self) -> usize {
        self.each(|table| table.changes.len()).all().into_iter().sum()
    }

    /// Puts all changes into the engine's batch.
    pub(crate) fn write_to(self, batch: &mut OwnedWriteBatch) {
        for table in self.all() {
            let part = table.seen.part;
            for (key, value) in table.changes {
                match value {
                    Some(value) => batch.insert(&part.keyspace, part.key(&key), value),
                    None => batch.remove(&part.keyspace, part.key(&key)),
                }
            }
        }
    }
}

impl<T> Tables<T> {
    fn each<'a, U>(&'a self, table: impl Fn(&'a T) -> U) -> Tables<U> {
        Tables {
            schema: table(&self.schema),
            users: table(&self.users),
            user_ids: table(&self.user_ids),
            keys: table(&self.keys),
            announcements: table(&self.announcements),
            conversations: table(&self.conversations),
            conversation_ids: table(&self.conversation_ids),
            pairs: table(&self.pairs),
            members: table(&self.members),
            messages: table(&self.messages),
            message_ids: table(&self.message_ids),
            client_ids: table(&self.client_ids),
            sequence: table(&self.sequence),
            inbox: table(&self.inbox),
            floors: table(&self.floors),
            oldest: table(&self.oldest),
            devices: table(&self.devices),
            acked: table(&self.acked),
        }
    }

    fn all(self) -> [T; 18] {
        [
            self.schema,
            self.users,
            self.user_ids,
            self.keys,
            self.announcements,
            self.conversations,
            self.conversation_ids,
            self.pairs,
            self.members,
            self.messages,
            self.message_ids,
            self.client_ids,
            self.sequence,
            self.inbox,
            self.floors,
            self.oldest,
            self.devices,
            self.acked,
        ]
    }
}

/// A table in one state.
pub(crate) struct Seen<'a> {
    snapshot: &'a Snapshot,
    part: &'a Part,
}

/// A table in one state, and what a batch changed about it: a value, or nothing where a row is removed.
///
/// fjall has a write transaction that does the same with a skip list per table. By speed they are close: it took the
/// engine alone from 98,000 to 92,000 messages per second (medians of five runs), and this
/// map with its look-ups has a tenth of the commit thread's samples. What decides is that a transaction asks hosts to
/// open their database as one of transactions, and that it locks out only those who use transactions, too.
pub(crate) struct Changed<'a> {
    seen: Seen<'a>,
    changes: BTreeMap<UserKey, Option<UserValue>>,
}

impl Changed<'_> {
    pub(crate) fn insert(&mut self, key: impl Into<UserKey>, value: impl Into<UserValue>) {
        self.changes.insert(key.into(), Some(value.into()));
    }

    pub(crate) fn remove(&mut self, key: impl Into<UserKey>) {
        self.changes.insert(key.into(), None);
    }

    /// Removes the rows between two keys, both included.
    pub(crate) fn remove_between(&mut self, from: &[u8], to: &[u8]) -> Result<(), Failure> {
        let keys: Vec<UserKey> =
            self.scan(from, to).map(|row| row.map(|(key, _)| key)).collect::<Result<_, _>>()?;
        for key in keys {
            self.remove(key);
        }
        Ok(())
    }
}

/// Which way to scan.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// From the lowest key.
    Ascending,
    /// From the highest.
    Descending,
}

/// Looking into a table, in a batch or outside.
pub(crate) trait Rows {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<UserValue>, Failure>;

    /// The rows between two keys, both included.
    fn walk(&self, from: &[u8], to: &[u8], order: Order) -> Scan<'_>;

    /// The rows between two keys, both included, from the lowest.
    fn scan(&self, from: &[u8], to: &[u8]) -> Scan<'_> {
        self.walk(from, to, Order::Ascending)
    }

    /// What the value of a key decodes to.
    fn find<T>(
        &self,
        key: &[u8],
        decode: impl FnOnce(Fields<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        self.get(key)?.map(|value| decode(Fields::new(&value))).transpose()
    }

    /// What the last row between two keys, both included, decodes to.
    fn last_in<T>(
        &self,
        from: &[u8],
        to: &[u8],
        decode: impl FnOnce(Fields<'_>, Fields<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let Some(row) = self.walk(from, to, Order::Descending).next() else { return Ok(None) };
        let (key, value) = row?;
        decode(Fields::new(&key), Fields::new(&value)).map(Some)
    }

    /// The number after the highest in a table whose keys are refs.
    fn next_ref(&self) -> Result<u32, Failure> {
        let last = self.last_in(&[], &[u8::MAX; 5], |key, _| key.last(Fields::u32))?;
        last.unwrap_or(0).checked_add(1).ok_or(Failure::Exhausted)
    }
}

impl Rows for Seen<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<UserValue>, Failure> {
        Ok(self.snapshot.get(&self.part.keyspace, self.part.key(key))?)
    }

    fn walk(&self, from: &[u8], to: &[u8], order: Order) -> Scan<'_> {
        // Nothing lies between keys in the wrong order; no engine needs to be asked what it makes of them.
        let rows = (from <= to)
            .then(|| self.snapshot.range(&self.part.keyspace, self.part.key(from)..=self.part.key(to)));
        Scan { rows, changes: None, order, row: None, change: None }
    }
}

impl Rows for Changed<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<UserValue>, Failure> {
        match self.changes.get(key) {
            Some(change) => Ok(change.clone()),
            None => self.seen.get(key),
        }
    }

    fn walk(&self, from: &[u8], to: &[u8], order: Order) -> Scan<'_> {
        let changes = (from <= to).then(|| self.changes.range::<[u8], _>((Included(from), Included(to))));
        Scan { changes, ..self.seen.walk(from, to, order) }
    }
}

/// A walk over rows in one state and over changes at once. Where both have a key, the change counts.
pub(crate) struct Scan<'a> {
    rows: Option<Iter>,
    changes: Option<Range<'a, UserKey, Option<UserValue>>>,
    order: Order,
    /// The row and the change that come next.
    row: Option<(UserKey, UserValue)>,
    change: Option<(&'a UserKey, &'a Option<UserValue>)>,
}

impl Scan<'_> {
    fn advance(&mut self) -> Result<Option<(UserKey, UserValue)>, Failure> {
        loop {
            if self.row.is_none()
                && let Some(rows) = &mut self.rows
            {
                let next = if self.order == Order::Ascending { rows.next() } else { rows.next_back() };
                self.row = next.map(row_of_table).transpose()?;
            }
            if self.change.is_none()
                && let Some(changes) = &mut self.changes
            {
                self.change =
                    if self.order == Order::Ascending { changes.next() } else { changes.next_back() };
            }
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
            if let Some((key, Some(value))) = self.change.take() {
                return Ok(Some((key.clone(), value.clone())));
            }
        }
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<(UserKey, UserValue), Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// A row of a keyspace, without the table's number in its key.
fn row_of_table(row: fjall::Guard) -> Result<(UserKey, UserValue), fjall::Error> {
    let (key, value) = row.into_inner()?;
    Ok((key.get(1..).unwrap_or_default().into(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows in the keyspace, and a batch that changes one, removes one and adds two.
    #[test]
    fn a_batch_sees_its_changes_in_both_orders() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::builder(folder.path()).open().unwrap();
        let tables = Tables::open(&database, &FjallConfig::default()).unwrap();
        for key in [2, 4, 6] {
            let part = &tables.inbox;
            part.keyspace.insert(part.key(&[key]), "old").unwrap();
        }
        let snapshot = database.snapshot();
        let mut inbox = tables.changed(&snapshot).inbox;
        inbox.insert([1], "new");
        inbox.insert([4], "new");
        inbox.insert([7], "new");
        inbox.remove([2]);
        let rows = |from: u8, to: u8, order| -> Vec<(u8, String)> {
            let rows = inbox.walk(&[from], &[to], order).map(Result::unwrap);
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
        assert_eq!(inbox.scan(&[0], &[9]).count(), 2);
        assert_eq!(tables.seen(&snapshot).inbox.scan(&[0], &[9]).count(), 3, "nothing is written yet");
    }
}
