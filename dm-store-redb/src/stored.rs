//! A table, as the shared code of key-value stores reads and changes it.

use std::cell::OnceCell;
use std::ops::Bound;

use dm_store_kv::{Changes, Failure, Order, Rows, numbered, owner_and_number};
use redb::WriteTransaction;

use crate::recent::last::last_of_each;
use crate::recent::newest::Numbers;
use crate::recent::Recent;
use crate::tree::{Guard, Transaction, Tree};
use crate::recent::read::Walk;

/// A table, in one state or as a batch changes it.
pub(crate) struct Stored<T: Transaction> {
    /// The rows that are not in runs: for most tables, all.
    pub(crate) settled: Tree<T>,
    pub(crate) recent: Option<Recent<T>>,
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
        Walk::new(&self.settled, self.recent.as_ref(), from, to, order)
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
        last_of_each(&self.settled, self.recent.as_ref(), owners, visit)
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
