//! Writing: applying a batch to the tables.

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

/// The tables and the heads that a batch changes. Each kind of write has a module.
struct Batch<'a, T> {
    tables: &'a mut Tables<T>,
    heads: &'a mut Heads,
}

/// The reason why a write stops.
enum Stop {
    /// The write is refused: it changed nothing, and the batch goes on.
    Refused(Refusal),
    /// The engine failed, and the batch with it.
    Failed(Failure),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Applies the writes of a batch to the tables, one after the other. Outcome *i* is that of write
/// *i*. The engine then commits the changes. If the commit fails, it clears the heads.
///
/// # Errors
/// An error of the engine, or damage. The engine must then commit nothing of the batch, and clear
/// the heads.
pub fn apply<T: Changes>(
    tables: &mut Tables<T>,
    heads: &mut Heads,
    batch: Vec<Write>,
) -> Result<Vec<Outcome>, Failure> {
    heads.begin(tables)?;
    let mut writes = Batch { tables, heads };
    batch
        .into_iter()
        .map(|write| match writes.apply(write) {
            Ok(outcome) => Ok(outcome),
            Err(Stop::Refused(refusal)) => Ok(Outcome::Refused(refusal)),
            Err(Stop::Failed(failure)) => Err(failure),
        })
        .collect()
}

impl<T: Changes> Batch<'_, T> {
    fn apply(&mut self, write: Write) -> Result<Outcome, Stop> {
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
