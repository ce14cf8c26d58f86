//! The answered batches, and the state that a store must therefore have.

use dm_core::store::{
    ConversationOrder, ConversationsQuery, HistoryQuery, HistoryRange, InboxQuery, InboxSeq, Kind, Outcome,
    OwnEntries, Owner, Principal, ServerSequence, Store, Write,
};

use super::batches::{CONVERSATIONS, USERS, batch};
use crate::build::{self, user};
use crate::model::{DEVICES, Model, reading};

/// Knows the batches that a store answered, and checks the store's data after a crash or damage.
///
/// ```
/// use dm_conformance::crash::Oracle;
/// # use dm_core::MemoryStore;
/// # use dm_core::store::Store;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, reopened) = { let store = MemoryStore::new(); (store.clone(), store) };
/// let mut oracle = Oracle::new(7);
/// for _ in 0..20 {
///     let outcomes = store.commit(oracle.ask()).await?;
///     oracle.answered(&outcomes)?;
/// }
/// store.commit(oracle.ask()).await?; // … the power is cut before the answer.
/// oracle.judge(&reopened).await?; // Twenty are stored, and the last as a whole or not at all.
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Oracle {
    seed: u64,
    /// The number of batches that are certainly stored.
    done: u64,
    /// The state after those batches.
    model: Model,
    /// Whether one more batch was requested and not answered.
    asked: bool,
}

impl Oracle {
    /// An oracle for an empty store. The batches follow from the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, done: 0, model: Model::default(), asked: false }
    }

    /// An oracle for a store that answered so many batches.
    #[must_use]
    pub fn after(seed: u64, batches: u64) -> Self {
        let mut oracle = Self::new(seed);
        for n in 1..=batches {
            batch(seed, n).iter().for_each(|write| _ = oracle.model.apply(write));
        }
        Self { done: batches, ..oracle }
    }

    /// The seed of the batches.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The number of the next batch, from 1. A batch that was requested and not answered is next
    /// again.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.done + 1
    }

    /// The number of batches that are certainly stored.
    #[must_use]
    pub const fn done(&self) -> u64 {
        self.done
    }

    /// The next batch, which counts as requested from now on.
    pub fn ask(&mut self) -> Vec<Write> {
        self.asked = true;
        batch(self.seed, self.next())
    }

    /// Records the answer to the requested batch.
    ///
    /// # Errors
    /// Fails with the difference between the answer and the allowed ones.
    pub fn answered(&mut self, outcomes: &[Outcome]) -> Result<(), String> {
        self.answered_as(&outcomes.iter().map(digest).collect::<Vec<_>>())
    }

    /// Records the answer to the requested batch, of which only the [`digest`]s of its outcomes are
    /// known.
    pub(crate) fn answered_as(&mut self, digests: &[u64]) -> Result<(), String> {
        let n = self.next();
        let writes = batch(self.seed, n);
        if digests.len() != writes.len() {
            return Err(format!("batch {n}: {} outcomes of {} writes", digests.len(), writes.len()));
        }
        for (write, found) in writes.iter().zip(digests) {
            let allowed = self.model.apply(write);
            if !allowed.iter().any(|allowed| digest(allowed) == *found) {
                return Err(format!(
                    "batch {n}: {write:?}\nhas an outcome that is not allowed. Allowed: {allowed:?}"
                ));
            }
        }
        (self.done, self.asked) = (n, false);
        Ok(())
    }

    /// Whether the requested batch stores anything new, so that a reader can see whether it was
    /// stored.
    pub(super) fn shows(&self) -> bool {
        let mut model = self.model.clone();
        batch(self.seed, self.next()).iter().flat_map(|write| model.apply(write)).any(|one| is_new(&one))
    }

    /// Compares all readable data with the answered batches, with or without the requested one.
    /// Remembers whether the requested one is stored.
    ///
    /// # Errors
    /// Fails with the data that is lost, invented, doubled or stored in part.
    pub async fn judge(&mut self, store: &impl Store) -> Result<Fate, String> {
        let without = agrees(&self.model, store).await;
        let Err(difference) = without else {
            self.asked = false;
            return Ok(Fate::Absent);
        };
        if !self.asked {
            return Err(format!("after {} answered batches: {difference}", self.done));
        }
        let mut with = self.model.clone();
        for write in batch(self.seed, self.next()) {
            with.apply(&write);
        }
        agrees(&with, store).await.map_err(|other| {
            format!(
                "after {} answered batches, the next one is stored in part:\nwithout it: {difference}\nwith it: {other}",
                self.done
            )
        })?;
        // The batch is requested again in any case, as a client without an answer does.
        (self.model, self.asked) = (with, false);
        Ok(Fate::Whole)
    }

    /// As [`judge`](Self::judge), for a store that may have lost the newest answered batches, such
    /// as an older copy: its state must be that after one of the batches. Returns the number of
    /// that batch.
    ///
    /// # Errors
    /// Fails if the state is that after no batch.
    pub async fn judge_any(&self, store: &impl Store) -> Result<u64, String> {
        let mut model = Model::default();
        let mut difference = String::new();
        for n in 0..=self.next() {
            if n > 0 {
                batch(self.seed, n).iter().for_each(|write| _ = model.apply(write));
            }
            match agrees(&model, store).await {
                Ok(()) => return Ok(n),
                Err(what) => difference = what,
            }
        }
        Err(format!("the state is that after no batch; compared with the last one: {difference}"))
    }
}

/// Whether a requested, unanswered batch was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was stored as a whole.
    Whole,
    /// Nothing of it was stored, or no batch was requested.
    Absent,
}

/// Whether a write appended an entry.
const fn is_new(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done(done) => !done.appended.is_empty(),
        Outcome::Refused(_) => false,
    }
}

/// A hash of an outcome, short enough for a pipe. The `Debug` output that it hashes contains all
/// but payloads and values; reads compare those.
pub(crate) fn digest(outcome: &Outcome) -> u64 {
    let mut outcome = outcome.clone();
    if let Outcome::Done(done) = &mut outcome {
        // The contract does not order these.
        done.revisions.sort_unstable();
    }
    // The hash is FNV-1a.
    format!("{outcome:?}")
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Digests of outcomes, as words of a line.
pub(crate) fn digests(outcomes: &[Outcome]) -> String {
    outcomes.iter().map(|outcome| format!("{:x}", digest(outcome))).collect::<Vec<_>>().join(" ")
}

/// Parses digests from the words of a line.
pub(crate) fn parsed<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Vec<u64>, String> {
    let digest = |word| u64::from_str_radix(word, 16).map_err(|error| error.to_string());
    words.into_iter().map(digest).collect()
}

/// Compares all readable data with the model.
async fn agrees(model: &Model, store: &impl Store) -> Result<(), String> {
    reading::heads(model, store, (0..USERS).map(user).collect()).await?;
    let owners = (0..USERS).map(|n| Owner::User(user(n)));
    let owners = owners.chain((0..CONVERSATIONS).map(|n| Owner::Conversation(build::conversation(n))));
    let owners: Vec<_> = owners.chain([Owner::Store]).collect();
    let kinds = [Kind::FENCE, build::kind(), build::synced()];
    reading::all_records(model, store, &owners, &kinds, 1_000).await?;
    for n in 0..USERS {
        reading::devices(model, store, user(n)).await?;
        let order = ConversationOrder::Active { after: None };
        let list = ConversationsQuery { user: user(n), order, kinds: Vec::new(), limit: 1_000 };
        reading::list(model, store, list).await?;
        for device in DEVICES {
            let who = Principal::new(user(n), device.parse().expect("a device's name"));
            reading::depth(model, store, who.clone()).await?;
            for (own, after) in [(OwnEntries::Include, 0), (OwnEntries::Skip, model.floor(user(n)))] {
                let (who, after) = (who.clone(), InboxSeq::new(after));
                let query = InboxQuery { who, after, own, limit: 100_000, max_bytes: usize::MAX };
                reading::inbox(model, store, query).await?;
            }
        }
    }
    for n in 0..CONVERSATIONS {
        let conversation = build::conversation(n);
        reading::conversation(model, store, conversation).await?;
        for reader in 0..USERS {
            let range = HistoryRange::After(ServerSequence::ZERO);
            let reader = user(reader);
            let query = HistoryQuery { reader, conversation, range, limit: 100_000, max_bytes: usize::MAX };
            reading::history(model, store, query).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use dm_core::store::{Answer, Done, MemoryStore};

    use super::*;

    #[test]
    fn digests_tell_outcomes_apart_that_differ_in_one_digit() {
        let expired = |entries| Done { answer: Answer::Expired { entries, more: false }, ..Done::default() };
        let outcomes = (0..10_000).map(|entries| Outcome::Done(expired(entries)));
        assert_eq!(outcomes.map(|outcome| digest(&outcome)).collect::<HashSet<_>>().len(), 10_000);
    }

    #[tokio::test]
    async fn a_batch_shows_that_it_is_there_when_it_stores_something_new() {
        let (store, mut oracle) = (MemoryStore::new(), Oracle::new(7));
        let mut seen = [0, 0];
        for _ in 0..300 {
            let shows = oracle.shows();
            let outcomes = store.commit(oracle.ask()).await.unwrap();
            assert_eq!(shows, outcomes.iter().any(is_new));
            seen[usize::from(shows)] += 1;
            oracle.answered(&outcomes).unwrap();
        }
        assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
    }
}
