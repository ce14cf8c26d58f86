//! Writing: one batch, one transaction.
//!
//! A batch takes the locks of all users it names and of the users of all conversations it names, in
//! the order of their keys, before it reads anything else. Each row that it changes belongs to one
//! of them: an inbox and its devices to their user, a conversation and its messages to both of its
//! users. So two batches that meet in anything meet in a user, where one of them waits for the
//! other's commit, and each statement behind the locks sees all that was committed before they were
//! granted. That is why `READ COMMITTED` is enough, and why there is no cycle of waiting. A run
//! that sends moves the heads on while it locks: see `reserve.rs`.

mod acknowledge;
mod announce;
mod append;
mod book;
mod conversations;
mod devices;
mod expire;
mod flight;
mod flush;
mod keys;
mod known;
mod load;
mod plan;
mod reserve;
mod slot;

use dm_core::store::{Outcome, StoreError, StoreErrorKind, Write};

use crate::config::PostgresConfig;
use crate::connection::{Client, Connections, Lease};
use crate::error::Fault;
use book::{Book, Stop};
use flight::{Flight, Landing, param};
use load::Part;
use plan::{Names, Run, runs};
use slot::{Fate, Slot, Slots};

pub(crate) use known::Known;
#[cfg(test)]
pub(crate) use reserve::RESERVE_ENTRIES;
pub(crate) use slot::{Slots as CommitSlots, clean};

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// What commits batches.
pub(crate) struct Committer {
    pub(crate) connections: Connections,
    pub(crate) config: PostgresConfig,
    pub(crate) slots: Slots,
    pub(crate) known: Known,
}

/// Why a try at a batch failed.
enum Failed {
    /// Nothing is committed.
    Before(Fault),
    /// The connection was lost with `COMMIT` under way.
    AtCommit(Box<AtCommit>),
}

struct AtCommit {
    outcomes: Vec<Outcome>,
    slot: Slot,
    fault: Fault,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Before(fault)
    }
}

/// The same, while the slot is with the try.
enum Stopped {
    Before(Fault),
    AtCommit(Vec<Outcome>, Fault),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Before(fault)
    }
}

impl Committer {
    /// Commits a batch. Its future must be run to its end.
    pub(crate) async fn commit(&self, batch: &[Write]) -> Result<Vec<Outcome>, StoreError> {
        let mut tries = 1;
        loop {
            let lost = match self.attempt(batch).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(Failed::Before(fault)) if fault.is_transient() && tries < self.config.attempts.get() => {
                    tries += 1;
                    tracing::debug!(tries, "a batch is tried again");
                    continue;
                }
                Err(Failed::Before(fault)) => return Err(fault.into()),
                Err(Failed::AtCommit(lost)) => *lost,
            };
            let AtCommit { outcomes, mut slot, fault } = lost;
            let fate = slot.resolve(&self.connections, self.config.resolve_timeout).await;
            if fate != Fate::Unknown {
                self.slots.put_back(slot);
            }
            return match fate {
                Fate::Committed => Ok(outcomes),
                Fate::Aborted => Err(StoreError::new(StoreErrorKind::Unavailable, StoreError::from(fault))),
                Fate::Unknown => {
                    Err(StoreError::new(StoreErrorKind::OutcomeUnknown, StoreError::from(fault)))
                }
            };
        }
    }

    async fn attempt(&self, batch: &[Write]) -> Result<Vec<Outcome>, Failed> {
        // Whatever ends this early closes the connection, and the server rolls back.
        let lease = Lease::take(&self.connections).await?;
        let client = lease.client()?;
        let mut slot = self.slots.take(client).await?;
        let done = Batch { client, batch, known: &self.known }.run(&slot).await;
        let outcomes = match done {
            Ok(outcomes) => outcomes,
            Err(Stopped::Before(fault)) => {
                if !fault.has_lost_marker() {
                    self.slots.put_back(slot);
                }
                return Err(fault.into());
            }
            Err(Stopped::AtCommit(outcomes, fault)) => {
                return Err(Failed::AtCommit(Box::new(AtCommit { outcomes, slot, fault })));
            }
        };
        slot.is_moved();
        self.slots.put_back(slot);
        lease.give_back();
        Ok(outcomes)
    }
}

/// One try at a batch.
struct Batch<'a> {
    client: Client<'a>,
    batch: &'a [Write],
    known: &'a Known,
}

impl Batch<'_> {
    async fn run(self, slot: &Slot) -> Result<Vec<Outcome>, Stopped> {
        let client = self.client;
        let names = Names::of(self.batch, self.known);
        let mut book = Book::default();
        load::filed(client, &names.messages, &mut book).await?;
        let mut outcomes = Vec::with_capacity(self.batch.len());
        let mut is_begun = false;
        let mut runs = runs(self.batch).into_iter().peekable();
        while let Some(run) = runs.next() {
            let (mut flight, mut parts) = (Flight::new(client), Vec::new());
            if !is_begun {
                self.begin(&mut flight, &mut parts, &names).await?;
            }
            if let Run::Set(writes) = run {
                book.turn_page();
                load::run(&mut flight, &mut parts, &names, writes, &book).await?;
            } else if !is_begun {
                load::lock(&mut flight, &names).await?;
                parts.push(Part::Other);
            }
            is_begun = true;
            for (part, rows) in parts.iter().zip(flight.land().await?) {
                book.take_in(part, rows)?;
            }
            for id in &names.strangers {
                if let Some(thread) = book.threads.get(id) {
                    self.known.learn(*id, thread.conversation.participants);
                }
            }
            match run {
                Run::Set(writes) => {
                    for write in writes {
                        outcomes.push(match book.apply(write) {
                            Ok(outcome) => outcome,
                            Err(Stop::Refused(refusal)) => Outcome::Refused(refusal),
                            Err(Stop::Again) => return Err(Fault::Conflict.into()),
                        });
                    }
                    let mut flight = Flight::new(client);
                    book.flush(&mut flight).await?;
                    if runs.peek().is_none() {
                        return commit(flight, outcomes, slot).await;
                    }
                    flight.land().await?;
                }
                Run::Forget(write) => outcomes.push(devices::forget(client, write).await?),
                Run::Announce(write) => outcomes.push(announce::announce(client, write).await?),
                Run::Expire(write) => outcomes.push(expire::expire(client, write).await?),
            }
        }
        commit(Flight::new(client), outcomes, slot).await
    }

    async fn begin<'f>(
        &self,
        flight: &mut Flight<'f>,
        parts: &mut Vec<Part>,
        names: &Names,
    ) -> Result<(), Fault> {
        flight.command(BEGIN);
        parts.push(Part::Other);
        if !names.made.is_empty() {
            let made: Vec<Vec<u8>> = names.made.iter().map(|user| user.as_bytes().to_vec()).collect();
            flight.add(load::MAKE_USERS, vec![param(made)]).await?;
            parts.push(Part::Other);
        }
        Ok(())
    }
}

/// Sends the last statements with `COMMIT` behind them.
async fn commit(
    mut flight: Flight<'_>,
    outcomes: Vec<Outcome>,
    slot: &Slot,
) -> Result<Vec<Outcome>, Stopped> {
    slot.move_on(&mut flight).await?;
    match flight.commit().await {
        Landing::Committed => Ok(outcomes),
        Landing::NotSent(fault) => Err(fault.into()),
        Landing::Lost(fault) => Err(Stopped::AtCommit(outcomes, fault)),
    }
}

/// The statements of sends and acknowledgements, and those of expiry and announcing that walk a table.
#[cfg(test)]
pub(crate) fn hot_statements() -> Vec<String> {
    let fixed = [
        load::LOCK_USERS,
        load::THREADS,
        RESERVE_ENTRIES,
        reserve::RESERVE_MESSAGES,
        load::DEVICES,
        load::OPEN,
        load::FILED,
        flush::UPDATE_USERS,
        flush::UPDATE_KEYS,
        flush::UPDATE_THREADS,
        flush::UPDATE_DEVICES,
        flush::DELETE_MARKS,
        expire::TAKE_OLDEST,
        expire::OLDEST_ENTRIES,
        expire::DELETE_ENTRIES,
        announce::TAKE_PEERS,
        slot::MOVE_ON,
    ];
    fixed.into_iter().map(str::to_owned).chain([load::sent_statement()]).collect()
}
