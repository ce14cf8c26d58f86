//! Every table, with the bytes of its keys and values. Several share a keyspace of fjall: the first byte of a key is the
//! number of the table.
//!
//! All are maps of bytes to bytes, so that no type of Rust or of fjall is part of them. Integers are
//! big-endian, and keys sort as their numbers do. A *ref* is a 4-byte number that stands for a user, a
//! conversation or a device of a user inside this folder; a *row* is the 8-byte number of a message. A *seq*
//! has 8 bytes, a *time* has 8 bytes (Unix milliseconds), an *id* has 16 bytes, a *public key* has 32.
//!
//! A keyspace costs a folder with files that are synced one after the other when it is made, and one more thing to
//! flush, so there are three for the eighteen tables. They were chosen among 1, 2 and 3, measured on two cores with
//! `dm-bench send --store fjall --seconds 4`, three runs each, and by opening a new folder five times:
//!
//! | keyspaces | opening | durable sends per second |
//! |---|---|---|
//! | all in one | 5 to 9 ms | 58,000, 61,000, 64,000 |
//! | messages; the others | 7 to 8 ms | 50,000, 58,000, 61,000 |
//! | messages; logs; the others | 10 to 12 ms | 67,000, 70,000, 70,000 |
//!
//! What the third one separates is what a message writes in the order of time from what it writes all over the keys.
//! With a keyspace per table, opening took 0.8 s.
//!
//! A log-structured tree writes every row twice at once (journal and memory) and again in each merge, so rows
//! are few and narrow: the wide row of a message is written once, in order, and what is looked up by
//! conversation or by user points at it. A message is five rows, with its client id six.
//!
//! What is removed leaves a tombstone until a merge drops it, and a scan steps over each one. So no scan
//! begins below what is known to be gone: an inbox is read from its floor, marks from the device's cursor.
//!
//! As number and name, key → value; in `dm_messages` is table 9, in `dm_logs` are 12 and 13:
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

use fjall::config::CompressionPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, Snapshot, UserKey, UserValue};

use crate::config::FjallConfig;
use crate::rows::{Changed, Seen};

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

/// The keyspace of the messages.
const MESSAGES: &str = "dm_messages";

/// The keyspace of the logs of conversations and inboxes.
const LOGS: &str = "dm_logs";

/// The keyspace of all other tables.
pub(crate) const ROWS: &str = "dm_rows";

/// The first byte of the table that says how to read the others.
pub(crate) const SCHEMA_PREFIX: u8 = 0;

/// A part of a keyspace: the rows whose keys begin with its own byte.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) keyspace: Keyspace,
    pub(crate) prefix: u8,
}

impl Table {
    /// Writes a row by a batch of its own.
    pub(crate) fn write(&self, batch: &mut OwnedWriteBatch, key: &[u8], value: impl Into<UserValue>) {
        batch.insert(&self.keyspace, prefixed(self.prefix, key), value);
    }

    /// Whether both are in the same keyspace of the same open database.
    pub(crate) fn shares_keyspace(&self, other: &Self) -> bool {
        std::ptr::eq(&*self.keyspace, &*other.keyspace)
    }
}

/// A key with the byte of its table.
pub(crate) fn prefixed(prefix: u8, key: &[u8]) -> UserKey {
    // The longest is a public key, and in a scan one more byte. Most are short enough to need no allocation.
    let mut bytes = [prefix; 34];
    if let Some(rest) = bytes.get_mut(1..=key.len()) {
        rest.copy_from_slice(key);
    }
    match bytes.get(..=key.len()) {
        Some(whole) => whole.into(),
        None => [&[prefix], key].concat().into(),
    }
}

impl Tables<Table> {
    /// Opens the keyspaces, and makes those that are missing.
    pub(crate) fn open(database: &Database, config: &FjallConfig) -> Result<Self, fjall::Error> {
        let narrow = || KeyspaceCreateOptions::default().max_memtable_size(config.memtable_bytes);
        // Payloads are ciphertext: there is nothing to compress. They are not kept apart from their keys either:
        // with fjall's key-value separation, filling a store with a million messages was a sixth slower (47,000 and
        // 58,000 instead of 58,000 and 65,000 messages per second), because rows of half a kilobyte that arrive in
        // the order of their keys are hardly ever merged.
        let wide = || narrow().data_block_compression_policy(CompressionPolicy::disabled());
        let messages = database.keyspace(MESSAGES, wide)?;
        let logs = database.keyspace(LOGS, narrow)?;
        let rows = database.keyspace(ROWS, narrow)?;
        let table = |prefix| Table { keyspace: rows.clone(), prefix };
        let log = |prefix| Table { keyspace: logs.clone(), prefix };
        Ok(Self {
            schema: table(SCHEMA_PREFIX),
            users: table(1),
            user_ids: table(2),
            keys: table(3),
            announcements: table(4),
            conversations: table(5),
            conversation_ids: table(6),
            pairs: table(7),
            members: table(8),
            messages: Table { keyspace: messages, prefix: 9 },
            message_ids: table(10),
            client_ids: table(11),
            sequence: log(12),
            inbox: log(13),
            floors: table(14),
            oldest: table(15),
            devices: table(16),
            acked: table(17),
        })
    }

    /// The tables in one state.
    pub(crate) fn seen<'a>(&'a self, snapshot: &'a Snapshot) -> Tables<Seen<'a>> {
        self.each(|table| Seen { snapshot, table })
    }

    /// The tables in one state, and what is changed about it.
    pub(crate) fn changed<'a>(&'a self, snapshot: &'a Snapshot) -> Tables<Changed<'a>> {
        self.each(|table| Changed::new(Seen { snapshot, table }))
    }
}

impl Tables<Changed<'_>> {
    /// How many rows are changed.
    pub(crate) fn changes(&self) -> usize {
        self.each(Changed::len).all().into_iter().sum()
    }

    /// Puts all changes into the engine's batch.
    pub(crate) fn write_to(self, batch: &mut OwnedWriteBatch) {
        for table in self.all() {
            table.write_to(batch);
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
