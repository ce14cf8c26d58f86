//! An engine whose commits and reads do what the script of a test says.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use dm_core::store::{
    Answer, ConversationState, ConversationsQuery, Done, EngineReader, EngineWriter, Expire, HistoryPage,
    HistoryQuery, InboxPage, InboxQuery, ListedConversation, Outcome, Record, RecordKey, ScanPage, ScanQuery,
    StoreError, StoreErrorKind, Write,
};
use dm_core::{ConversationId, Depth, DeviceState, InboxSeq, Principal, Timestamp, UserId};

/// The failure of the next commit.
#[derive(Clone, Copy, Debug)]
pub enum Next {
    Fails(StoreErrorKind),
    /// Fails, and the engine refuses all further work.
    Breaks(StoreErrorKind),
    Panics,
}

/// The script of an engine. Its writers and readers share it, also those that are opened later.
#[derive(Clone, Default)]
pub struct Script(Arc<State>);

#[derive(Default)]
struct State {
    /// The failures of the next commits, the first one first. When the list is empty, commits
    /// succeed.
    next: Mutex<VecDeque<Next>>,
    /// Whether reads are held.
    held: Mutex<bool>,
    released: Condvar,
    /// Whether reads answer that the engine is closed.
    refusing: Mutex<bool>,
    reading: AtomicUsize,
    writers: AtomicUsize,
    readers: AtomicUsize,
    commits: AtomicUsize,
}

pub struct Writer(Script, bool);
pub struct Reader(Script);

impl Script {
    pub fn writer_and_reader(&self) -> (Writer, Reader) {
        self.0.writers.fetch_add(1, Ordering::SeqCst);
        self.0.readers.fetch_add(1, Ordering::SeqCst);
        (Writer(self.clone(), false), Reader(self.clone()))
    }

    /// Sets the failure of the next commit. A further call sets that of the commit after it.
    pub fn next(&self, next: Next) {
        self.0.next.lock().unwrap().push_back(next);
    }

    pub fn hold_reads(&self, held: bool) {
        *self.0.held.lock().unwrap() = held;
        self.0.released.notify_all();
    }

    pub fn refuse_reads(&self, refusing: bool) {
        *self.0.refusing.lock().unwrap() = refusing;
    }

    /// The number of reads in flight.
    pub fn reading(&self) -> usize {
        self.0.reading.load(Ordering::SeqCst)
    }

    /// The numbers of writers and readers that are not dropped.
    pub fn alive(&self) -> (usize, usize) {
        (self.0.writers.load(Ordering::SeqCst), self.0.readers.load(Ordering::SeqCst))
    }

    /// The number of batches that reached the engine.
    pub fn commits(&self) -> usize {
        self.0.commits.load(Ordering::SeqCst)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.0.writers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.0.readers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl EngineWriter for Writer {
    fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        self.0.0.commits.fetch_add(1, Ordering::SeqCst);
        match self.0.0.next.lock().unwrap().pop_front() {
            None => {
                let answer = Answer::Expired { entries: 0, more: false };
                let done = Outcome::Done(Done { answer, ..Done::default() });
                Ok(vec![done; batch.len()])
            }
            Some(Next::Fails(kind)) => Err(kind.into()),
            Some(Next::Breaks(kind)) => {
                self.1 = true;
                Err(kind.into())
            }
            Some(Next::Panics) => panic!("an engine that panics"),
        }
    }

    fn is_broken(&self) -> bool {
        self.1
    }
}

impl EngineReader for Reader {
    fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError> {
        self.0.0.reading.fetch_add(1, Ordering::SeqCst);
        let held = self.0.0.held.lock().unwrap();
        drop(self.0.0.released.wait_while(held, |held| *held).unwrap());
        self.0.0.reading.fetch_sub(1, Ordering::SeqCst);
        if *self.0.0.refusing.lock().unwrap() {
            return Err(StoreErrorKind::Closed.into());
        }
        Ok(vec![None; keys.len()])
    }

    fn scan(&self, _: ScanQuery) -> Result<ScanPage, StoreError> {
        Ok(ScanPage::default())
    }

    fn conversation(&self, _: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        Ok(None)
    }

    fn conversations(&self, _: ConversationsQuery) -> Result<Vec<ListedConversation>, StoreError> {
        Ok(Vec::new())
    }

    fn history(&self, _: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        Ok(None)
    }

    fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        let none = InboxSeq::ZERO;
        Ok(InboxPage {
            entries: Vec::new(),
            through: query.after,
            head: none,
            floor: none,
            floor_proof: None,
        })
    }

    fn devices(&self, _: UserId) -> Result<Vec<DeviceState>, StoreError> {
        Ok(Vec::new())
    }

    fn depth(&self, _: Principal) -> Result<Depth, StoreError> {
        Ok(Depth::default())
    }
}

pub fn expire() -> Write {
    Expire { before: Timestamp::from_millis(0), limit: 1 }.into()
}
