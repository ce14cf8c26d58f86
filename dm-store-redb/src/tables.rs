//! The library's tables in redb. What their rows hold is documented in `dm-store-kv`.
//!
//! Each is a table of redb, from bytes to bytes, whose name begins with `dm_`. Pages touched per
//! message decide the speed, so `dm_sequence` and `dm_inbox` have their newest rows in
//! [`runs`](crate::runs), each a table of redb, `dm_sequence_run_0` and so on.
//!
//! `dm_schema` is this crate's own. It holds `version` in ASCII → schema version 4; `commit` in
//! ASCII → commits so far 8, which tells a store what another handle of the same database wrote;
//! and `dm_sequence`, `dm_inbox` in ASCII → the runs of that table, none before the first.

use std::cell::OnceCell;
use std::ops::Bound;

use dm_store_kv::{Changes, Failure, Order, Rows, Tables, numbered, owner_and_number};
use redb::{ReadTransaction, WriteTransaction};

use crate::numbers::Numbers;
use crate::parts::{Recent, Walk};
use crate::runs::Runs;
use crate::tree::{Guard, Transaction, Tree};

/// The name of the table that says how to read the others.
pub(crate) const SCHEMA: &str = "dm_schema";

/// The names of those whose newest rows are in runs.
pub(crate) const SEQUENCE: &str = "dm_sequence";
pub(crate) const INBOX: &str = "dm_inbox";

/// The names of all, without those of runs.
pub(crate) const NAMES: Tables<&str> = Tables {
    schema: SCHEMA,
    users: "dm_users",
    user_ids: "dm_user_ids",
    keys: "dm_keys",
    announcements: "dm_announcements",
    conversations: "dm_conversations",
    conversation_ids: "dm_conversation_ids",
    pairs: "dm_pairs",
    members: "dm_members",
    messages: "dm_messages",
    message_ids: "dm_message_ids",
    client_ids: "dm_client_ids",
    sequence: SEQUENCE,
    inbox: INBOX,
    floors: "dm_floors",
    oldest: "dm_oldest",
    devices: "dm_devices",
    acked: "dm_acked",
};

/// A table, in one state or as a batch changes it.
pub(crate) struct Stored<T: Transaction> {
    /// The rows that are not in runs: for most tables, all.
    pub(crate) settled: Tree<T>,
    pub(crate) recent: Option<Recent<T>>,
}

/// The tables for reading.
pub(crate) fn read(transaction: &ReadTransaction) -> Result<Tables<Stored<&ReadTransaction>>, Failure> {
    open(transaction, |_| 0)
}

/// The tables for a batch, whose runs are to have so many entries of inboxes each.
pub(crate) fn write(
    transaction: &WriteTransaction,
    run: u64,
) -> Result<Tables<Stored<&WriteTransaction>>, Failure> {
    // A message is one row of a conversation and two of inboxes.
    open(transaction, |name| if name == SEQUENCE { run.div_ceil(2) } else { run })
}

fn open<T: Transaction>(transaction: T, run: impl Fn(&str) -> u64) -> Result<Tables<Stored<T>>, Failure> {
    let plain = NAMES.each(|name| Stored { settled: Tree::new(transaction, *name), recent: None });
    let with_runs = |name: &'static str| {
        let runs = match plain.schema.get(name.as_bytes())? {
            Some(row) => Runs::decode(&row)?,
            None => Runs::NONE,
        };
        let recent = Recent::new(transaction, name, runs, run(name));
        Ok::<_, Failure>(Stored { settled: Tree::new(transaction, name), recent: Some(recent) })
    };
    let (sequence, inbox) = (with_runs(SEQUENCE)?, with_runs(INBOX)?);
    Ok(Tables { sequence, inbox, ..plain })
}

impl Stored<&WriteTransaction> {
    /// Takes over what an earlier batch knew of the newest numbers in runs.
    pub(crate) fn remember(&mut self, numbers: Option<Numbers>) {
        if let Some(recent) = &mut self.recent {
            recent.numbers = numbers.map(OnceCell::from).unwrap_or_default();
        }
    }
}

impl<T: Transaction> Rows for Stored<T> {
    type Key<'a>
        = Guard<'a>
    where
        Self: 'a;
    type Value<'a>
        = Guard<'a>
    where
        Self: 'a;
    type Walk<'a>
        = Walk<'a, T>
    where
        Self: 'a;

    fn get(&self, key: &[u8]) -> Result<Option<Guard<'_>>, Failure> {
        if let Some(recent) = &self.recent
            && let Some(value) = recent.get(key)?
        {
            return Ok(Some(value));
        }
        self.settled.get(key)
    }

    fn walk(&self, from: &[u8], to: &[u8], order: Order) -> Result<Walk<'_, T>, Failure> {
        Walk::new(self, from, to, order)
    }

    fn last_number(&self, owner: u32, after: u64) -> Result<Option<u64>, Failure> {
        let (from, to) = (numbered(owner, after.saturating_add(1)), numbered(owner, u64::MAX));
        let last = match &self.recent {
            // A reader opens its tables for one call: it has nothing to remember numbers for.
            Some(recent) if T::IS_BATCH => {
                if let Some(number) = recent.numbers()?.get(owner) {
                    return Ok((number > after).then_some(number));
                }
                self.settled.between(Bound::Included(&from), &to)?.next_back()
            }
            _ => self.walk(&from, &to, Order::Descending)?.next(),
        };
        last.map(|row| Ok(owner_and_number(&row?.0)?.1)).transpose()
    }

    fn last_of_each(
        &self,
        owners: &[u32],
        visit: impl FnMut(usize, &[u8], &[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        crate::newest::last_of_each(self, owners, visit)
    }
}

impl Changes for Stored<&WriteTransaction> {
    fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        match &mut self.recent {
            Some(recent) => recent.insert(key, value),
            None => self.settled.insert(key, value),
        }
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Failure> {
        match &self.recent {
            Some(_) => self.remove_between(key, key),
            None => self.settled.remove(key),
        }
    }

    fn remove_between(&mut self, from: &[u8], to: &[u8]) -> Result<(), Failure> {
        if let Some(recent) = &mut self.recent {
            recent.remove_between(from, to)?;
        }
        self.settled.remove_between(Bound::Included(from), to)
    }
}
