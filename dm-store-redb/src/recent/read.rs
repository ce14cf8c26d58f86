//! Walking over a table whose newest rows may be in runs.

use std::ops::Bound;

use dm_store_kv::{Failure, Order};

use crate::recent::Recent;
use crate::tree::{Between, Row, Transaction, Tree};

/// A walk over a table: one part after another, each opened when the one before it has ended.
pub(crate) struct Walk<'a, T: Transaction> {
    rows: Between<'a>,
    order: Order,
    /// Nothing more where there are no runs.
    rest: Option<Rest<'a, T>>,
}

/// The parts that were not walked over.
struct Rest<'a, T: Transaction> {
    settled: &'a Tree<T>,
    recent: &'a Recent<T>,
    /// Places of runs that are left.
    places: std::ops::Range<usize>,
    from: Vec<u8>,
    to: Vec<u8>,
    /// Whether the large tree is left, which is the first in ascending order and the last in
    /// descending order.
    settled_is_left: bool,
}

impl<'a, T: Transaction> Walk<'a, T> {
    /// Over the rows of a large tree, and those in runs where there are some.
    pub(crate) fn new(
        settled: &'a Tree<T>,
        recent: Option<&'a Recent<T>>,
        from: &[u8],
        to: &[u8],
        order: Order,
    ) -> Result<Self, Failure> {
        let rows_of_settled = || settled.between(Bound::Included(from), to);
        let Some(recent) = recent.filter(|recent| !recent.trees.is_empty() && from <= to) else {
            return Ok(Self { rows: rows_of_settled()?, order, rest: None });
        };
        let (rows, settled_is_left) = match order {
            Order::Ascending => (rows_of_settled()?, false),
            Order::Descending => (Between::none(), true),
        };
        let places = 0..recent.trees.len();
        let rest = Rest { settled, recent, places, from: from.to_vec(), to: to.to_vec(), settled_is_left };
        Ok(Self { rows, order, rest: Some(rest) })
    }
}

impl<'a, T: Transaction> Rest<'a, T> {
    /// The next part.
    fn next(&mut self, order: Order) -> Result<Option<Between<'a>>, Failure> {
        let (settled, recent) = (self.settled, self.recent);
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
                None if std::mem::take(&mut self.settled_is_left) => {
                    return settled.between(Bound::Included(&self.from), &self.to).map(Some);
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
