//! A store on an engine whose calls block. It runs one read at a time, and a test can hold the
//! reads.

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};

use dm_core::store::{
    ConversationsQuery, Embedded, EngineReader, EngineWriter, HistoryPage, HistoryQuery, InboxPage,
    InboxQuery, ListedConversation, Outcome, Record, RecordKey, ScanPage, ScanQuery, Store, StoreError,
    Write,
};
use dm_core::{ConversationId, ConversationState, Depth, DeviceState, MemoryStore, Principal, UserId};
use tokio::sync::Semaphore;

/// A gate at which reads wait while it is closed. It starts open.
#[derive(Clone)]
pub struct Gate {
    closed: Arc<(Mutex<bool>, Condvar)>,
    entered: Arc<Semaphore>,
}

impl Gate {
    pub fn close(&self) {
        *self.closed.0.lock().unwrap() = true;
        self.entered.forget_permits(usize::MAX);
    }

    pub fn open(&self) {
        *self.closed.0.lock().unwrap() = false;
        self.closed.1.notify_all();
    }

    /// Waits until a read has reached the gate after it was closed. Each read counts once.
    pub async fn entered(&self) {
        self.entered.acquire().await.unwrap().forget();
    }

    fn pass(&self) {
        self.entered.add_permits(1);
        let (closed, opened) = &*self.closed;
        drop(opened.wait_while(closed.lock().unwrap(), |closed| *closed).unwrap());
    }
}

/// A store in memory that runs one read at a time, and the gate at which its reads can be held.
pub fn one_read_at_a_time() -> (Embedded<impl EngineReader>, Gate) {
    let gate = Gate { closed: Arc::default(), entered: Arc::new(Semaphore::new(0)) };
    let store = MemoryStore::new();
    let reader = Reader { store: store.clone(), gate: gate.clone() };
    (Embedded::new(Writer(store), reader).unwrap(), gate)
}

struct Writer(MemoryStore);

struct Reader {
    store: MemoryStore,
    gate: Gate,
}

/// The output of a future that never waits.
fn ready_output<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a call of the store in memory waited"),
    }
}

impl EngineWriter for Writer {
    fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        ready_output(self.0.commit(batch))
    }
}

impl Reader {
    fn read(&self) -> &MemoryStore {
        self.gate.pass();
        &self.store
    }
}

impl EngineReader for Reader {
    fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError> {
        ready_output(self.read().records(keys))
    }

    fn scan(&self, query: ScanQuery) -> Result<ScanPage, StoreError> {
        ready_output(self.read().scan(query))
    }

    fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        ready_output(self.read().conversation(id))
    }

    fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ListedConversation>, StoreError> {
        ready_output(self.read().conversations(query))
    }

    fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        ready_output(self.read().history(query))
    }

    fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        ready_output(self.read().inbox(query))
    }

    fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        ready_output(self.read().devices(user))
    }

    fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        ready_output(self.read().depth(who))
    }

    fn max_concurrent_reads(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }
}
