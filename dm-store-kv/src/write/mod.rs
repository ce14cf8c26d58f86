//! [`apply`]: applies a batch to the tables and to the heads in memory ([`Heads`]). A *batch* is a
//! list of writes that are committed together.
//!
//! [`Write::apply`] has the order of all checks and changes. `rows` implements its trait,
//! [`BatchRows`]. `plan` has the actions, of which each module has one or two: a check that changes
//! nothing, and the change.

mod acknowledge;
mod append;
mod conversations;
mod devices;
mod expire;
mod gates;
mod inbox;
mod plan;
mod records;
mod rows;

use dm_core::store::{Outcome, Write};

use crate::failure::Failure;
use crate::heads::Heads;
use crate::rows::Changes;
use crate::tables::Tables;

#[cfg(doc)]
use dm_core::store::BatchRows;

/// Applies the writes of one batch: changes the tables, and the heads in memory along with them.
struct BatchWriter<'a, T> {
    tables: &'a mut Tables<T>,
    heads: &'a mut Heads,
}

/// Applies the writes of a batch to the tables, one after the other. Outcome *i* belongs to write
/// *i*.
///
/// `heads` are the newest numbers in memory ([`Heads`]), which change along with the tables. The
/// engine must commit after this call. If the commit fails, the engine must call [`Heads::clear`],
/// because the numbers in memory are newer than those in the tables.
///
/// # Errors
/// Any [`Failure`]. The engine must then roll back and call [`Heads::clear`].
pub fn apply<T: Changes>(
    tables: &mut Tables<T>,
    heads: &mut Heads,
    writes: Vec<Write>,
) -> Result<Vec<Outcome>, Failure> {
    heads.ensure_epoch(tables)?;
    let mut batch = BatchWriter { tables, heads };
    writes.into_iter().map(|write| write.apply(&mut batch)).collect()
}
