//! How many durable sends per second the store takes through the service, against the bare engine writing the same
//! rows in batches of the same size, in the same run:
//!
//! ```text
//! cargo run --release -p dm-store-fjall --example throughput [-- [--rounds 4] [--seconds 3] [--open] [--dir DIR]]
//! ```
//!
//! Both write 512-byte payloads into 10,000 conversations and `fdatasync` before they answer. The service has 256 sends
//! in flight; the engine alone has one thread that knows every number beforehand and looks nothing up, in batches as
//! large as the service's were on average: it is the ceiling. The two take turns, because machines are noisy. A
//! third column is the engine's own write transaction, which keeps a batch's rows readable in skip lists of its own.
//!
//! With `--profile` only the store's half runs, without the service: what a profiler should look at. With `--open` it
//! also fills a store with a million messages and measures opening it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a program for people, not a library")]
#![allow(clippy::cast_possible_truncation, reason = "its numbers are small")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dm_core::*;
use dm_store_fjall::FjallStore;
use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, PersistMode, SingleWriterTxDatabase, SingleWriterTxKeyspace,
};

const CONVERSATIONS: usize = 10_000;
const SENDERS: usize = 256;
const PAYLOAD: usize = 512;

struct Options {
    rounds: usize,
    seconds: u64,
    open: bool,
    profile: bool,
    dir: Option<PathBuf>,
}

fn main() {
    let mut options = Options { rounds: 4, seconds: 3, open: false, profile: false, dir: None };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--rounds" => options.rounds = args.next().and_then(|n| n.parse().ok()).unwrap_or(options.rounds),
            "--seconds" => {
                options.seconds = args.next().and_then(|n| n.parse().ok()).unwrap_or(options.seconds);
            }
            "--open" => options.open = true,
            "--profile" => options.profile = true,
            "--dir" => options.dir = args.next().map(PathBuf::from),
            other => {
                eprintln!("what is {other}? --rounds N, --seconds N, --open, --profile, --dir DIR");
                std::process::exit(2);
            }
        }
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(run(options));
}

async fn run(options: Options) {
    let folder = match &options.dir {
        Some(dir) => tempfile::tempdir_in(dir).unwrap(),
        None => tempfile::tempdir().unwrap(),
    };
    println!("{SENDERS} sends in flight, {PAYLOAD} bytes, {CONVERSATIONS} conversations");
    eprintln!("opening the conversations …");
    let path = folder.path().join("dm");
    let store = Counting { inner: FjallStore::open(&path).unwrap(), counts: Arc::default() };
    let service = Service::builder(store.clone()).start().unwrap();
    let chats = Arc::new(open_conversations(&service).await);
    let mut engine = Bare::open(&folder.path().join("bare"));
    let mut transactions = Transactions::open(&folder.path().join("transactions"));
    let span = Duration::from_secs(options.seconds);
    if options.profile {
        println!("{:.0} msg/s by the store without the service", commits(&store, &chats, span).await);
        return;
    }

    println!(
        "{:>6} {:>14} {:>14} {:>14} {:>8} {:>16} {:>8}",
        "round", "service msg/s", "store msg/s", "engine msg/s", "ratio", "transactions", "batch"
    );
    let mut ratios = Vec::new();
    for round in 1..=options.rounds {
        store.counts.reset();
        let (dm, to) = (service.clone(), Arc::clone(&chats));
        let ours = measure(span, move |n| send(dm.clone(), Arc::clone(&to), n)).await;
        let batch = store.counts.mean();
        let alone = commits(&store, &chats, span).await;
        let bare = engine.run(span, batch);
        let transacted = transactions.run(span, batch);
        ratios.push(ours / bare);
        println!(
            "{round:>6} {ours:>14.0} {alone:>14.0} {bare:>14.0} {:>8.2} {transacted:>16.0} {batch:>8}",
            ours / bare
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio of the service to the engine alone: {:.2}", ratios[ratios.len() / 2]);
    if options.open {
        fill(&service, &chats).await;
    }
    service.shutdown(Duration::from_secs(10)).await;
    drop((service, store));
    if options.open {
        measure_open(&chats, &path).await;
    }
}

/// Calls per second over a span, with [`SENDERS`] in flight.
async fn measure<F>(span: Duration, call: impl Fn(usize) -> F + Clone + Send + 'static) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let done = Arc::new(AtomicU64::new(0));
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..SENDERS {
        let (done, next, call) = (Arc::clone(&done), Arc::clone(&next), call.clone());
        tasks.spawn(async move {
            while began.elapsed() < span {
                call(next.fetch_add(1, Ordering::Relaxed)).await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tasks.join_all().await;
    done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

struct Chat {
    id: ConversationId,
    sender: Principal,
}

/// Opens conversations between 200 people, each with a hundred others.
async fn open_conversations(service: &Service) -> Vec<Chat> {
    use curve25519_dalek::{EdwardsPoint, Scalar};
    let user = |n: u64| {
        UserId::from_bytes(EdwardsPoint::mul_base(&Scalar::from(n + 1)).compress().to_bytes()).unwrap()
    };
    let users: Vec<_> = (0..200).map(user).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..CONVERSATIONS {
        let (a, b) = (n % 200, (n % 200 + 1 + n / 200) % 200);
        let (service, sender, recipient) = (service.clone(), Principal::from(users[a]), users[b]);
        tasks.spawn(async move {
            let id = service.open_conversation(&sender, recipient).await.unwrap().conversation.id;
            Chat { id, sender }
        });
    }
    tasks.join_all().await
}

/// A stride that visits the conversations in no order that a cache could like.
fn pick(n: usize) -> usize {
    n.wrapping_mul(7_919) % CONVERSATIONS
}

fn ciphertext(n: usize) -> Ciphertext {
    Ciphertext::new(vec![n as u8; PAYLOAD].into(), &[7; 24], None, None).unwrap()
}

async fn send(service: Service, chats: Arc<Vec<Chat>>, n: usize) {
    let chat = &chats[pick(n)];
    // As a client does it: with its own name for the message, so that a retry is recognized.
    let client_id = Some(ClientMessageId::from(uuid_v7()));
    let message =
        SendMessage { client_id, ..SendMessage::new(chat.id, ciphertext(n), Timestamp::from_millis(1)) };
    service.send(&chat.sender, message).await.unwrap();
}

/// Messages per second by the store alone, in batches of [`SENDERS`].
async fn commits(store: &Counting, chats: &[Chat], span: Duration) -> f64 {
    let (began, mut sent) = (Instant::now(), 0);
    while began.elapsed() < span {
        let batch = (0..SENDERS)
            .map(|_| {
                sent += 1;
                let chat = &chats[pick(sent)];
                Write::AppendMessage(AppendMessage {
                    id: MessageId::from(uuid_v7()),
                    conversation: chat.id,
                    sender: chat.sender.clone(),
                    client_id: Some(ClientMessageId::from(uuid_v7())),
                    recipient_key_version: None,
                    sent_at: Timestamp::from_millis(1),
                    at: Timestamp::from_millis(1),
                    ciphertext: ciphertext(sent),
                })
            })
            .collect();
        store.inner.commit(batch).await.unwrap();
    }
    sent as f64 / began.elapsed().as_secs_f64()
}

/// The rows of message `n` as the store writes them: table, key, value.
fn rows(n: u64) -> [(usize, Vec<u8>, Vec<u8>); 6] {
    let conversation = pick(n as usize) as u64;
    let (sender, recipient) = (conversation % 200, (conversation % 200 + 1 + conversation / 200) % 200);
    let numbered = |of: u64, number: u64| [&(of as u32).to_be_bytes()[..], &number.to_be_bytes()].concat();
    let row = n.to_be_bytes().to_vec();
    let id = uuid_v7();
    [
        (0, row.clone(), [vec![1; 117], vec![n as u8; PAYLOAD]].concat()),
        (1, uuid_v7().as_bytes().to_vec(), row.clone()),
        (2, [id.as_bytes(), &(sender as u32).to_be_bytes()[..]].concat(), row.clone()),
        (3, numbered(conversation, n), [row.clone(), vec![0; 8]].concat()),
        (4, numbered(sender, 2 * n), [vec![0; 10], row.clone()].concat()),
        (4, numbered(recipient, 2 * n + 1), [vec![0; 10], row].concat()),
    ]
}

const TABLES: [&str; 5] = ["messages", "message_ids", "client_ids", "sequence", "inbox"];

/// The engine alone.
struct Bare {
    database: Database,
    tables: Vec<Keyspace>,
    next: u64,
}

impl Bare {
    fn open(path: &Path) -> Self {
        let database = Database::builder(path).open().unwrap();
        let open = |name| database.keyspace(name, KeyspaceCreateOptions::default).unwrap();
        Self { tables: TABLES.into_iter().map(open).collect(), database, next: 0 }
    }

    fn run(&mut self, span: Duration, size: u64) -> f64 {
        let (began, first) = (Instant::now(), self.next);
        while began.elapsed() < span {
            let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
            for n in self.next..self.next + size {
                for (table, key, value) in rows(n) {
                    batch.insert(&self.tables[table], key, value);
                }
            }
            batch.commit().unwrap();
            self.next += size;
        }
        (self.next - first) as f64 / began.elapsed().as_secs_f64()
    }
}

/// The engine's own write transaction.
struct Transactions {
    database: SingleWriterTxDatabase,
    tables: Vec<SingleWriterTxKeyspace>,
    next: u64,
}

impl Transactions {
    fn open(path: &Path) -> Self {
        let database = SingleWriterTxDatabase::builder(path).open().unwrap();
        let open = |name| database.keyspace(name, KeyspaceCreateOptions::default).unwrap();
        Self { tables: TABLES.into_iter().map(open).collect(), database, next: 0 }
    }

    fn run(&mut self, span: Duration, size: u64) -> f64 {
        let (began, first) = (Instant::now(), self.next);
        while began.elapsed() < span {
            let mut transaction = self.database.write_tx().durability(Some(PersistMode::SyncData));
            for n in self.next..self.next + size {
                for (table, key, value) in rows(n) {
                    transaction.insert(&self.tables[table], key, value);
                }
            }
            transaction.commit().unwrap();
            self.next += size;
        }
        (self.next - first) as f64 / began.elapsed().as_secs_f64()
    }
}

/// A store that counts its commits.
#[derive(Clone)]
struct Counting {
    inner: FjallStore,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    commits: AtomicU64,
    writes: AtomicU64,
}

impl Counts {
    fn reset(&self) {
        self.commits.store(0, Ordering::Relaxed);
        self.writes.store(0, Ordering::Relaxed);
    }

    fn mean(&self) -> u64 {
        self.writes.load(Ordering::Relaxed) / self.commits.load(Ordering::Relaxed).max(1)
    }
}

#[async_trait]
impl Store for Counting {
    async fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        self.counts.commits.fetch_add(1, Ordering::Relaxed);
        self.counts.writes.fetch_add(batch.len() as u64, Ordering::Relaxed);
        self.inner.commit(batch).await
    }

    async fn key(&self, user: UserId) -> Result<Option<KeyRecord>, StoreError> {
        self.inner.key(user).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        self.inner.conversation(id).await
    }

    async fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ConversationState>, StoreError> {
        self.inner.conversations(query).await
    }

    async fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        self.inner.history(query).await
    }

    async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        self.inner.inbox(query).await
    }

    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        self.inner.devices(user).await
    }

    async fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        self.inner.depth(who).await
    }
}

fn uuid_v7() -> uuid::Uuid {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    // Spread like random bits, without a random source in the measured path.
    let spread = COUNT.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = [0; 10];
    random[..8].copy_from_slice(&spread.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(now.as_millis() as u64, &random).into_uuid()
}

const MILLION: usize = 1_000_000;

/// Fills the store up to a million messages.
async fn fill(service: &Service, chats: &Arc<Vec<Chat>>) {
    let mut stored = 0;
    for chat in chats.iter() {
        stored += service.conversation(&chat.sender, chat.id).await.unwrap().head.get() as usize;
    }
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for n in stored..MILLION {
        if tasks.len() == 2 * SENDERS {
            tasks.join_next().await;
        }
        tasks.spawn(send(service.clone(), Arc::clone(chats), n));
    }
    tasks.join_all().await;
    let rate = MILLION.saturating_sub(stored) as f64 / began.elapsed().as_secs_f64();
    println!("filled up to {} messages at {rate:.0} msg/s", stored.max(MILLION));
}

/// Opens a closed store a few times.
async fn measure_open(chats: &[Chat], path: &Path) {
    let bytes = size(path);
    println!("{bytes} bytes on disk, {} each for a million", bytes / MILLION as u64);
    for _ in 0..3 {
        // The service's tasks let go of the store a moment after its shutdown, and whoever is last waits for a merge
        // in the background.
        let (store, began) = loop {
            let began = Instant::now();
            match FjallStore::open(path) {
                Err(error) if error.kind() == StoreErrorKind::Locked => {}
                opened => break (opened.unwrap(), began),
            }
        };
        let opened = began.elapsed();
        let dm = Service::builder(store).start().unwrap();
        let page = dm.history(&chats[0].sender, chats[0].id, HistoryRange::Newest, 50).await.unwrap();
        println!(
            "opened in {opened:.1?}, first page of {} after {:.1?}",
            page.messages.len(),
            began.elapsed()
        );
        dm.shutdown(Duration::from_secs(10)).await;
    }
}

/// What a folder takes on disk.
fn size(folder: &Path) -> u64 {
    let of = |entry: std::fs::DirEntry| {
        let found = entry.metadata().unwrap();
        if found.is_dir() { size(&entry.path()) } else { found.len() }
    };
    std::fs::read_dir(folder).unwrap().map(|entry| of(entry.unwrap())).sum()
}
