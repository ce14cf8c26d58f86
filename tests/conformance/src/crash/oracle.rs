//! Knows what a store was asked and what it answered, and judges what is there after a crash.

use std::fmt;

use dm_core::{MemoryStore, Store, StoreError, Write};

use super::Answers;
use super::contents::{Contents, Known};

/// Knows what a store was asked and what it answered, and judges what is there after a crash.
///
/// It knows nothing about how the store was cut off: a killed process, a copied file, a storage backend that forgets
/// what was not synced. The crash trials use it, and a store's own tests can:
///
/// ```
/// # use dm_core::MemoryStore;
/// # struct Backend(MemoryStore);
/// # impl Backend {
/// #     fn new() -> Self { Self(MemoryStore::new()) }
/// #     fn store(&self) -> MemoryStore { self.0.clone() }
/// #     fn cut_after(&self, _: u64) {}
/// # }
/// use dm_conformance::crash::{Answers, Fate, Oracle, batch};
/// use dm_core::Store;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let backend = Backend::new(); // keeps what was synced apart from what was written
/// backend.cut_after(100);       // from its hundredth write on, everything fails
/// let mut oracle = Oracle::new();
/// let store = backend.store();
/// for n in 0..20 {
///     let batch = batch(7, n);
///     oracle.asking(&batch);
///     match store.commit(batch).await {
///         Ok(outcomes) => oracle.answered(&Answers::of(&outcomes)).await?,
///         Err(_) => break, // cut: it may be whole or absent
///     }
/// }
/// drop(store);
///
/// let store = backend.store(); // on what was synced, and some of what was not
/// let fate = oracle.judge(&store).await?;
/// # assert_eq!(fate, Fate::NothingAsked);
/// println!("the batch that was not answered: {fate:?}");
/// oracle.repeat(&store).await?; // as its clients would
/// # Ok::<(), dm_conformance::crash::Wrong>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct Oracle {
    /// What is in the model, in order.
    batches: Vec<Vec<Write>>,
    model: MemoryStore,
    known: Known,
    /// Handed to the store and not answered.
    asked: Option<Vec<Write>>,
    /// Was not answered, and its fate is judged.
    judged: Option<Vec<Write>>,
}

/// What became of the batch that was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// There was none: everything asked was answered.
    NothingAsked,
    /// Nothing of it is there.
    Absent,
    /// All of it is there.
    Whole,
}

/// Why a store is not as it must be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Wrong {
    /// It cannot be read, or not be written to.
    Failed(StoreError),
    /// Something is lost, invented or out of its place.
    Broken(String),
}

impl Oracle {
    /// Knows of an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A batch is about to be handed to the store. Call it before [`commit`](Store::commit): from here it may be in the
    /// file.
    ///
    /// # Panics
    /// When another batch is neither answered nor judged: the oracle is for one writer.
    pub fn asking(&mut self, batch: &[Write]) {
        assert!(self.asked.is_none(), "one batch at a time");
        self.known.note(batch);
        self.judged = None;
        self.asked = Some(batch.to_vec());
    }

    /// The store answered the batch: from here it must be there whatever happens.
    ///
    /// # Errors
    /// [`Wrong::Broken`] when the answer is not the one that the contract demands.
    ///
    /// # Panics
    /// When nothing was asked.
    pub async fn answered(&mut self, answers: &Answers) -> Result<(), Wrong> {
        let batch = self.asked.take().expect("something was asked");
        let expected = self.apply(batch).await?;
        same(answers, &expected)
    }

    /// The store refused the batch with an error that says that nothing happened: any but
    /// [`OutcomeUnknown`](dm_core::StoreErrorKind::OutcomeUnknown).
    pub fn failed(&mut self) {
        self.asked = None;
    }

    /// Compares a reopened store with what was answered. The batch that was not answered must be there as a whole, in
    /// every conversation and inbox it went to, or not at all.
    ///
    /// # Errors
    /// [`Wrong`], saying the first thing that is.
    pub async fn judge(&mut self, store: &impl Store) -> Result<Fate, Wrong> {
        let found = Contents::read(store, &self.known).await?;
        let absent = found.difference(&Contents::read(&self.model, &self.known).await?);
        let Some(batch) = self.asked.take() else {
            return match absent {
                None => Ok(Fate::NothingAsked),
                Some(what) => Err(Wrong::Broken(format!("lost or invented: {what}"))),
            };
        };
        self.judged = Some(batch.clone());
        let Some(absent) = absent else { return Ok(Fate::Absent) };
        self.apply(batch).await?;
        match found.difference(&Contents::read(&self.model, &self.known).await?) {
            None => Ok(Fate::Whole),
            Some(whole) => Err(Wrong::Broken(format!(
                "the batch that was not answered is neither absent ({absent}) nor whole ({whole})"
            ))),
        }
    }

    /// Repeats the batch whose fate was judged, as its clients would who got no answer. Messages that were stored must
    /// answer with their first numbers, and the store must be right again afterwards. Without such a batch this does
    /// nothing.
    ///
    /// # Errors
    /// [`Wrong`], saying the first thing that is.
    pub async fn repeat(&mut self, store: &impl Store) -> Result<(), Wrong> {
        let Some(batch) = self.judged.take() else { return Ok(()) };
        let outcomes = store.commit(batch.clone()).await?;
        let expected = self.apply(batch).await?;
        same(&Answers::of(&outcomes), &expected)?;
        self.judge(store).await.map(drop)
    }

    /// Of how many batches, from the first, a damaged store still holds everything and nothing else. The batch that was
    /// not answered counts as one.
    ///
    /// # Errors
    /// [`Wrong::Broken`] when it holds anything else.
    pub async fn prefix(&self, store: &impl Store) -> Result<usize, Wrong> {
        let found = Contents::read(store, &self.known).await?;
        let model = MemoryStore::new();
        let mut difference = found.difference(&Contents::read(&model, &self.known).await?);
        let mut prefix = difference.is_none().then_some(0);
        for (n, batch) in self.batches.iter().chain(&self.asked).enumerate() {
            model.commit(batch.clone()).await?;
            difference = found.difference(&Contents::read(&model, &self.known).await?);
            if difference.is_none() {
                prefix = Some(n + 1);
            }
        }
        prefix.ok_or_else(|| {
            Wrong::Broken(format!(
                "no state it ever was in; from the last: {}",
                difference.unwrap_or_default()
            ))
        })
    }

    /// Batches that are there for certain: answered, or found.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.batches.len()
    }

    async fn apply(&mut self, batch: Vec<Write>) -> Result<Answers, Wrong> {
        let outcomes = self.model.commit(batch.clone()).await?;
        self.batches.push(batch);
        Ok(Answers::of(&outcomes))
    }
}

fn same(found: &Answers, expected: &Answers) -> Result<(), Wrong> {
    if found == expected {
        return Ok(());
    }
    Err(Wrong::Broken(format!("answered {found}\n where it must be {expected}")))
}

impl From<StoreError> for Wrong {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "{error}: {error:?}"),
            Self::Broken(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Wrong {}
