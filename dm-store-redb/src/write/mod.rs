//! Writing: one batch, one transaction.

mod acknowledge;
mod append;
mod conversations;
mod devices;
mod expire;
mod inbox;
mod keys;

use std::sync::Weak;

use dm_core::{EngineWriter, Outcome, Refusal, StoreError, StoreErrorKind, Write};
use redb::{CommitError, Database, Durability, StorageError, Table, WriteTransaction};

use crate::codec::Fields;
use crate::config::{Recovery, RedbConfig};
use crate::error::{Failure, from_redb, unknown};
use crate::heads::Heads;
use crate::schema::COMMIT_KEY;
use crate::tables::{Rows, Tables};

/// The half of the store that writes. It does not hold the database open: its thread may end a moment after
/// the last handle is gone, and the file must be closed by then.
pub(crate) struct Writer {
    database: Weak<Database>,
    recovery: Recovery,
    heads: Heads,
    /// The count of commits in the database when `heads` was last right.
    commits: u64,
}

/// The writes of one batch, each in its room of this module.
struct Batch<'a, 'txn> {
    tables: Tables<Table<'txn, &'static [u8], &'static [u8]>>,
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

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl Writer {
    pub(crate) fn new(database: Weak<Database>, config: &RedbConfig) -> Self {
        Self { database, recovery: config.recovery, heads: Heads::new(config), commits: 0 }
    }

    fn begin(&self, database: &Database) -> Result<WriteTransaction, StoreError> {
        let mut transaction = database.begin_write().map_err(from_redb)?;
        transaction.set_durability(Durability::Immediate).map_err(from_redb)?;
        // Payloads are chosen by strangers, and redb asks for two phases when its input is hostile.
        transaction.set_two_phase_commit(true);
        transaction.set_quick_repair(self.recovery == Recovery::Quick);
        Ok(transaction)
    }

    fn apply(&mut self, transaction: &WriteTransaction, batch: Vec<Write>) -> Result<Vec<Outcome>, Failure> {
        let mut tables = Tables::write(transaction)?;
        // Another handle of the same database, in this process or in another, may have written since the last
        // batch.
        let commits = tables.schema.find(COMMIT_KEY, |value| value.last(Fields::u64))?.unwrap_or(0);
        if commits != self.commits {
            self.heads.clear();
        }
        self.commits = commits.wrapping_add(1);
        tables.schema.insert(COMMIT_KEY, self.commits.to_be_bytes().as_slice())?;

        let mut writes = Batch { tables, heads: &mut self.heads };
        batch
            .into_iter()
            .map(|write| match writes.apply(write) {
                Ok(outcome) => Ok(outcome),
                Err(Stop::Refused(refusal)) => Ok(Outcome::Refused(refusal)),
                Err(Stop::Failed(failure)) => Err(failure),
            })
            .collect()
    }
}

impl EngineWriter for Writer {
    fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let database = self.database.upgrade().ok_or(StoreErrorKind::Closed)?;
        let transaction = self.begin(&database)?;
        let outcomes = match self.apply(&transaction, batch) {
            Ok(outcomes) => outcomes,
            Err(failure) => {
                self.heads.clear();
                // What is not committed is gone, whether or not its pages could be given back.
                if let Err(error) = transaction.abort() {
                    tracing::warn!(error = %error, "rollback failed");
                }
                return Err(failure.into());
            }
        };
        match transaction.commit() {
            Ok(()) => Ok(outcomes),
            // It was rolled back, and says so.
            Err(error @ CommitError::TransactionPoisoned) => {
                self.heads.clear();
                Err(from_redb(error))
            }
            Err(error) => Err(unknown(error)),
        }
    }
}

impl Batch<'_, '_> {
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
