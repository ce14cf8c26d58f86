//! The trial of two processes passes a store that notices the other process, and fails stores that
//! do not.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use dm_conformance::Harness;
use dm_conformance::crash::CrashHarness;
use dm_conformance::processes::{Verdict, trial};
use dm_conformance::test_path;
use dm_core::store::*;
use tokio::sync::Mutex;

use crate::harness::LogHarness;
use crate::store;

/// The moments at which a store reads the writes of other processes.
trait Notices: Send + Sync + 'static {
    const AT_COMMITS: CommitRead;
    const AT_READS: bool;
}

/// The moment at which a commit reads them.
#[derive(PartialEq, Eq)]
enum CommitRead {
    Never,
    BeforeItLocks,
    UnderItsLock,
}

macro_rules! notices {
    ($($about:literal $name:ident: $commits:ident, $reads:literal;)*) => {$(
        #[doc = $about]
        struct $name;

        impl Notices for $name {
            const AT_COMMITS: CommitRead = CommitRead::$commits;
            const AT_READS: bool = $reads;
        }
    )*};
}

notices! {
    "As it must be." Always: UnderItsLock, true;
    "Correct by turns. At the same time, both number from the state before either locked." TooEarly: BeforeItLocks, true;
    "Commits number from the writes of this process." AtReads: Never, true;
    "Only the writes before it was opened are read." AtOpening: Never, false;
}

/// A log of batches in a file to which any number of processes append, and the tables that result
/// from replaying it.
struct SharedLog<N> {
    state: Mutex<State>,
    notices: PhantomData<fn() -> N>,
}

struct State {
    file: File,
    tables: MemoryStore,
    /// The bytes of the file that are in the tables.
    known: usize,
}

impl State {
    /// Replays the log again if the file is longer than what was replayed.
    async fn notice(&mut self) {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0)).unwrap();
        self.file.read_to_end(&mut bytes).unwrap();
        if bytes.len() == self.known {
            return;
        }
        (self.tables, self.known) = (MemoryStore::new(), bytes.len());
        let mut rest = bytes.as_slice();
        while let Some((length, after)) = rest.split_first_chunk() {
            let (frame, after) = after.split_at(u32::from_be_bytes(*length) as usize);
            self.tables.commit(store::codec::decode(frame).unwrap()).await.unwrap();
            rest = after;
        }
    }

    async fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut frame = Vec::new();
        // A refused write changes nothing, so the log does not need it.
        batch.iter().for_each(|write| store::codec::encode(write, &mut frame).unwrap_or_default());
        let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
        let frame = [&length[..], &frame].concat();
        self.file.write_all(&frame).unwrap();
        self.known += frame.len();
        self.tables.commit(batch).await
    }
}

impl<N: Notices> SharedLog<N> {
    async fn tables(&self) -> MemoryStore {
        let mut state = self.state.lock().await;
        if N::AT_READS {
            state.file.lock().unwrap();
            state.notice().await;
            state.file.unlock().unwrap();
        }
        state.tables.clone()
    }
}

#[async_trait]
impl<N: Notices> Store for SharedLog<N> {
    async fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut state = self.state.lock().await;
        if N::AT_COMMITS == CommitRead::BeforeItLocks {
            state.notice().await;
            // Enough iterations for the other process to get its order meanwhile.
            (0..1_000_000).for_each(|_| std::hint::spin_loop());
        }
        state.file.lock().unwrap();
        if N::AT_COMMITS == CommitRead::UnderItsLock {
            state.notice().await;
        }
        let outcomes = state.commit(batch).await;
        state.file.unlock().unwrap();
        outcomes
    }

    async fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError> {
        self.tables().await.records(keys).await
    }

    async fn scan(&self, query: ScanQuery) -> Result<ScanPage, StoreError> {
        self.tables().await.scan(query).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        self.tables().await.conversation(id).await
    }

    async fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ListedConversation>, StoreError> {
        self.tables().await.conversations(query).await
    }

    async fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        self.tables().await.history(query).await
    }

    async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        self.tables().await.inbox(query).await
    }

    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        self.tables().await.devices(user).await
    }

    async fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        self.tables().await.depth(who).await
    }
}

struct SharedLogHarness<N> {
    path: PathBuf,
    /// The folder is removed together with the harness that made it.
    _folder: Option<tempfile::TempDir>,
    notices: PhantomData<fn() -> N>,
}

impl<N: Notices> Harness for SharedLogHarness<N> {
    type Store = SharedLog<N>;

    async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("log"), _folder: Some(folder), notices: PhantomData }
    }

    async fn open(&self) -> Result<SharedLog<N>, StoreError> {
        let file = File::options().read(true).append(true).create(true).open(&self.path).unwrap();
        let mut state = State { file, tables: MemoryStore::new(), known: 0 };
        state.notice().await;
        Ok(SharedLog { state: Mutex::new(state), notices: PhantomData })
    }
}

impl<N: Notices> CrashHarness for SharedLogHarness<N> {
    fn path(&self) -> &Path {
        &self.path
    }

    fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), _folder: None, notices: PhantomData }
    }
}

#[test]
fn a_store_that_notices_the_other_process_passes() {
    let verdict =
        trial::<SharedLogHarness<Always>>(test_path!(a_store_that_notices_the_other_process_passes));
    assert_eq!(verdict, Ok(Verdict::Kept));
}

#[test]
fn a_store_that_numbers_from_what_its_process_knows_is_caught() {
    let name = test_path!(a_store_that_numbers_from_what_its_process_knows_is_caught);
    let found = trial::<SharedLogHarness<AtReads>>(name).unwrap_err();
    assert!(found.contains("has an outcome that is not allowed"), "{found}");
}

#[test]
fn a_store_that_does_not_notice_the_other_process_is_caught() {
    let name = test_path!(a_store_that_does_not_notice_the_other_process_is_caught);
    let found = trial::<SharedLogHarness<AtOpening>>(name).unwrap_err();
    assert!(found.contains("has an outcome that is not allowed"), "{found}");
}

#[test]
fn a_store_that_looks_before_it_locks_is_caught() {
    let found = trial::<SharedLogHarness<TooEarly>>(test_path!(a_store_that_looks_before_it_locks_is_caught))
        .unwrap_err();
    assert!(found.contains("round"), "{found}");
}

#[test]
fn a_store_for_one_process_is_told_apart() {
    let verdict = trial::<LogHarness>(test_path!(a_store_for_one_process_is_told_apart));
    assert_eq!(verdict, Ok(Verdict::OneProcess));
}
