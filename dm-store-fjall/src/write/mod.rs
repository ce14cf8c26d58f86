//! Writing: one batch, one batch of the engine.

mod acknowledge;
mod append;
mod conversations;
mod devices;
mod expire;
mod inbox;
mod keys;

use std::sync::Arc;

use dm_core::{EngineWriter, Outcome, Refusal, StoreError, Write};
use fjall::{OwnedWriteBatch, PersistMode};

use crate::engine::Engine;
use crate::error::{Failure, from_commit};
use crate::heads::Heads;
use crate::rows::Changed;
use crate::tables::Tables;

/// The half of the store that writes.
pub(crate) struct Writer {
    engine: Arc<Engine>,
}

/// The writes of one batch, each in its room of this module.
struct Batch<'a> {
    tables: Tables<Changed<'a>>,
    heads: &'a mut Heads,
}

/// Why a write stopped.
enum Stop {
    /// It is refused: it changed nothing, and the batch goes on.
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

impl Writer {
    pub(crate) const fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}

impl EngineWriter for Writer {
    fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let engine = &*self.engine;
        let mut heads = engine.writer()?;
        let snapshot = engine.database.snapshot();
        let mut writes = Batch { tables: engine.tables.changed(&snapshot), heads: &mut heads };
        let outcomes = match writes.apply_all(batch) {
            Ok(outcomes) => outcomes,
            Err(failure) => {
                // Nothing was written anywhere but in memory.
                heads.clear();
                return Err(failure.into());
            }
        };
        let mut rows = OwnedWriteBatch::with_capacity(engine.database.clone(), writes.tables.changes())
            .durability(Some(PersistMode::SyncData));
        writes.tables.write_to(&mut rows);

        engine.show(Some(snapshot.clone()));
        if let Err(error) = rows.commit() {
            heads.clear();
            // What failed is in no table. Readers go on with the state before it, whatever the journal holds.
            return Err(from_commit(error));
        }
        engine.show(None);
        Ok(outcomes)
    }
}

impl Batch<'_> {
    fn apply_all(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, Failure> {
        batch
            .into_iter()
            .map(|write| match self.apply(write) {
                Ok(outcome) => Ok(outcome),
                Err(Stop::Refused(refusal)) => Ok(Outcome::Refused(refusal)),
                Err(Stop::Failed(failure)) => Err(failure),
            })
            .collect()
    }

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
