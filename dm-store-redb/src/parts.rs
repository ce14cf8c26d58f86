//! The parts of a table whose newest rows are in runs, and walking over them.

use std::cell::OnceCell;
use std::ops::Bound;

use dm_store_kv::{Failure, Order};
use redb::WriteTransaction;

use crate::numbers::Numbers;
use crate::runs::{Moved, RUNS, Runs};
use crate::tables::Stored;
use crate::tree::{Between, Guard, Row, Transaction, Tree};

/// The rows that are in runs.
pub(crate) struct Recent<T: Transaction> {
    transaction: T,
    name: &'static str,
    pub(crate) runs: Runs,
    /// The runs, from the oldest.
    pub(crate) trees: Vec<Tree<T>>,
    /// Rows that a run is to have.
    pub(crate) run: u64,
    /// In a batch: unknown until somebody is looked for.
    pub(crate) numbers: OnceCell<Numbers>,
}

impl<T: Transaction> Recent<T> {
    pub(crate) fn new(transaction: T, name: &'static str, runs: Runs, run: u64) -> Self {
        let trees = (runs.oldest..runs.end).map(|number| tree(transaction, name, number)).collect();
        Self { transaction, name, runs, trees, run, numbers: OnceCell::new() }
    }

    /// How many of the trees are of the moving generation.
    pub(crate) fn moving(&self) -> usize {
        usize::try_from(self.runs.growing - self.runs.oldest).unwrap_or(usize::MAX)
    }

    /// Where rows between two keys begin in the tree at a place; `None` if that has none of them.
    fn from<'k>(&'k self, place: usize, from: &'k [u8], to: &[u8]) -> Option<Bound<&'k [u8]>> {
        match &self.runs.moved {
            _ if place >= self.moving() => Some(Bound::Included(from)),
            Moved::All => None,
            Moved::Through(key) if key.as_slice() >= to => None,
            Moved::Through(key) if key.as_slice() >= from => Some(Bound::Excluded(key)),
            Moved::Through(_) => Some(Bound::Included(from)),
        }
    }

    pub(crate) fn between(
        &self,
        place: usize,
        from: &[u8],
        to: &[u8],
    ) -> Result<Option<Between<'_>>, Failure> {
        let (Some(tree), Some(from)) = (self.trees.get(place), self.from(place, from, to)) else {
            return Ok(None);
        };
        tree.between(from, to).map(Some)
    }

    /// The newest numbers of those who have rows in runs.
    pub(crate) fn numbers(&self) -> Result<&Numbers, Failure> {
        if let Some(numbers) = self.numbers.get() {
            return Ok(numbers);
        }
        let numbers = Numbers::read(self)?;
        Ok(self.numbers.get_or_init(|| numbers))
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Guard<'_>>, Failure> {
        for place in 0..self.trees.len() {
            if let Some(mut rows) = self.between(place, key, key)?
                && let Some(row) = rows.next()
            {
                return row.map(|(_, value)| Some(value));
            }
        }
        Ok(None)
    }
}

impl Recent<&WriteTransaction> {
    pub(crate) fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        let runs = &mut self.runs;
        let has_room = runs.end - runs.growing < RUNS;
        if runs.end == runs.growing || (runs.rows >= self.run && has_room) {
            self.trees.push(tree(self.transaction, self.name, runs.end));
            runs.end += 1;
            runs.rows = 0;
        }
        runs.rows += 1;
        runs.unsettled += 1;
        if let Some(numbers) = self.numbers.get_mut() {
            numbers.insert(key)?;
        }
        // The tree was pushed a line above, or is of an earlier row.
        self.trees.last_mut().ok_or(Failure::Damaged("a run that is not there"))?.insert(key, value)
    }

    pub(crate) fn remove_between(&mut self, from: &[u8], to: &[u8]) -> Result<(), Failure> {
        for place in 0..self.trees.len() {
            let Some(from) = self.from(place, from, to) else { continue };
            let from = from.map(<[u8]>::to_vec);
            if let Some(tree) = self.trees.get_mut(place) {
                tree.remove_between(from.as_ref().map(Vec::as_slice), to)?;
            }
        }
        Ok(())
    }
}

fn tree<T: Transaction>(transaction: T, name: &str, number: u64) -> Tree<T> {
    Tree::new(transaction, format!("{name}_run_{number}"))
}

/// A walk over a table: one part after another, each opened when the one before it has ended.
pub(crate) struct Walk<'a, T: Transaction> {
    rows: Between<'a>,
    order: Order,
    /// Nothing more where there are no runs.
    rest: Option<Rest<'a, T>>,
}

/// The parts that were not walked over.
struct Rest<'a, T: Transaction> {
    stored: &'a Stored<T>,
    recent: &'a Recent<T>,
    /// Places of runs that are left.
    places: std::ops::Range<usize>,
    from: Vec<u8>,
    to: Vec<u8>,
    /// Whether the large tree is left, which is the first in ascending order and the last in
    /// descending order.
    settled: bool,
}

impl<'a, T: Transaction> Walk<'a, T> {
    pub(crate) fn new(stored: &'a Stored<T>, from: &[u8], to: &[u8], order: Order) -> Result<Self, Failure> {
        let settled = || stored.settled.between(Bound::Included(from), to);
        let Some(recent) = stored.recent.as_ref().filter(|recent| !recent.trees.is_empty() && from <= to)
        else {
            return Ok(Self { rows: settled()?, order, rest: None });
        };
        let (rows, is_left) = match order {
            Order::Ascending => (settled()?, false),
            Order::Descending => (Between::none(), true),
        };
        let places = 0..recent.trees.len();
        let rest = Rest { stored, recent, places, from: from.to_vec(), to: to.to_vec(), settled: is_left };
        Ok(Self { rows, order, rest: Some(rest) })
    }
}

impl<'a, T: Transaction> Rest<'a, T> {
    /// The next part.
    fn next(&mut self, order: Order) -> Result<Option<Between<'a>>, Failure> {
        let (stored, recent) = (self.stored, self.recent);
        loop {
            let place = match order {
                Order::Ascending => self.places.next(),
                Order::Descending => self.places.next_back(),
            };
            match place {
                Some(place) => {
                    if let Some(rows) = recent.between(place, &self.from, &self.to)? {
                        return Ok(Some(rows));
                    }
                }
                None if std::mem::take(&mut self.settled) => {
                    return stored.settled.between(Bound::Included(&self.from), &self.to).map(Some);
                }
                None => return Ok(None),
            }
        }
    }
}

impl<'a, T: Transaction> Iterator for Walk<'a, T> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        loop {
            let row = match self.order {
                Order::Ascending => self.rows.next(),
                Order::Descending => self.rows.next_back(),
            };
            if row.is_some() {
                return row;
            }
            match self.rest.as_mut()?.next(self.order) {
                Ok(Some(rows)) => self.rows = rows,
                Ok(None) => return None,
                Err(failure) => return Some(Err(failure)),
            }
        }
    }
}
