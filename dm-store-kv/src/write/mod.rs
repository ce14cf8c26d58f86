//! [`apply`]: applies a batch to the tables and to the heads in memory ([`Heads`]). A *batch* is a
//! list of writes that are committed together.

mod acknowledge;
mod append;
mod conversations;
mod devices;
mod expire;
mod inbox;
mod keys;

use dm_core::store::{Outcome, Refusal, Write};

use crate::failure::Failure;
use crate::heads::Heads;
use crate::rows::Changes;
use crate::tables::Tables;

/// Applies the writes of one batch: changes the tables, and the heads in memory along with them.
/// The methods for the kinds of writes are in the submodules.
struct BatchWriter<'a, T> {
    tables: &'a mut Tables<T>,
    heads: &'a mut Heads,
}

/// The reason why a write was not applied.
enum WriteError {
    /// The write is refused and changed nothing. The next writes of the batch are applied.
    Refused(Refusal),
    /// The engine failed, a row is damaged, or all numbers are used. The whole batch fails.
    Failed(Failure),
}

impl From<Refusal> for WriteError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Failure> for WriteError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
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
    writes
        .into_iter()
        .map(|write| match batch.apply_write(write) {
            Ok(outcome) => Ok(outcome),
            Err(WriteError::Refused(refusal)) => Ok(Outcome::Refused(refusal)),
            Err(WriteError::Failed(failure)) => Err(failure),
        })
        .collect()
}

impl<T: Changes> BatchWriter<'_, T> {
    fn apply_write(&mut self, write: Write) -> Result<Outcome, WriteError> {
        match write {
            Write::PublishKey(write) => self.publish_key(&write),
            Write::AnnounceKeys(write) => self.announce_keys(&write),
            Write::OpenConversation(write) => self.open_conversation(&write),
            Write::AppendMessage(write) => self.append_message(write),
            Write::Acknowledge(write) => self.acknowledge(&write),
            Write::RegisterDevice(write) => self.register_device(&write),
            Write::ForgetDevice(write) => self.forget_device(&write),
            Write::Expire(write) => self.expire(&write),
            _ => Err(Refusal::Unsupported.into()),
        }
    }
}
