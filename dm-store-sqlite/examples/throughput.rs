//! How many durable sends per second the store takes through the service, against the way a chat server is often
//! written by hand, in the same run:
//!
//! ```text
//! cargo run --release -p dm-store-sqlite --example throughput [-- [--rounds 4] [--seconds 3] [--open] [--dir DIR]]
//! ```
//!
//! The way by hand: one connection behind a mutex, every statement its own transaction, four statements per message,
//! text ids. Both write 512-byte payloads into 10,000 conversations from 256 senders at once, in WAL mode with
//! `synchronous = FULL`, and answer only what is durable. The two take turns, because machines are noisy.
//!
//! With `--open` it also fills a store with a million messages and measures opening it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a program for people, not a library")]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "its numbers are small")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dm_core::{
    Ciphertext, ClientMessageId, ConversationId, HistoryRange, Principal, SendMessage, Service, Timestamp,
    UserId,
};
use dm_store_sqlite::SqliteStore;
use rusqlite::{Connection, params};

const CONVERSATIONS: usize = 10_000;
const SENDERS: usize = 256;
const PAYLOAD: usize = 512;

fn main() {
    let mut options = Options { rounds: 4, seconds: 3, open: false, dir: None };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--rounds" => options.rounds = args.next().and_then(|n| n.parse().ok()).unwrap_or(options.rounds),
            "--seconds" => {
                options.seconds = args.next().and_then(|n| n.parse().ok()).unwrap_or(options.seconds);
            }
            "--open" => options.open = true,
            "--dir" => options.dir = args.next().map(PathBuf::from),
            other => {
                eprintln!("what is {other}? --rounds N, --seconds N, --open, --dir DIR");
                std::process::exit(2);
            }
        }
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(run(options));
}

struct Options {
    rounds: usize,
    seconds: u64,
    open: bool,
    dir: Option<PathBuf>,
}

async fn run(options: Options) {
    let folder = match &options.dir {
        Some(dir) => tempfile::tempdir_in(dir).unwrap(),
        None => tempfile::tempdir().unwrap(),
    };
    println!(
        "SQLite {}; {SENDERS} sends in flight, {PAYLOAD} bytes, {CONVERSATIONS} conversations",
        rusqlite::version()
    );
    eprintln!("opening the conversations …");
    let service = Service::builder(SqliteStore::open(folder.path().join("dm.db")).unwrap()).start().unwrap();
    let chats = Arc::new(open_conversations(&service).await);
    let by_hand = Arc::new(ByHand::open(&folder.path().join("by-hand.db"), &chats));
    let span = Duration::from_secs(options.seconds);

    println!("{:>6} {:>16} {:>16} {:>8}", "round", "dm-core msg/s", "by hand msg/s", "ratio");
    let mut ratios = Vec::new();
    for round in 1..=options.rounds {
        let (dm, to) = (service.clone(), Arc::clone(&chats));
        let ours = measure(span, move |n| send(dm.clone(), Arc::clone(&to), n)).await;
        let by_hand = Arc::clone(&by_hand);
        let theirs = measure(span, move |n| {
            let by_hand = Arc::clone(&by_hand);
            async move { tokio::task::spawn_blocking(move || by_hand.send(n)).await.unwrap() }
        })
        .await;
        ratios.push(ours / theirs);
        println!("{round:>6} {ours:>16.0} {theirs:>16.0} {:>7.1}x", ours / theirs);
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio: {:.1}x", ratios[ratios.len() / 2]);
    if options.open {
        measure_open(&service, &chats, &folder.path().join("dm.db")).await;
    }
    service.shutdown(Duration::from_secs(10)).await;
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
    recipient: UserId,
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
            Chat { id, sender, recipient }
        });
    }
    tasks.join_all().await
}

/// A stride that visits the conversations in no order that a cache could like.
fn pick(n: usize) -> usize {
    n.wrapping_mul(7_919) % CONVERSATIONS
}

async fn send(service: Service, chats: Arc<Vec<Chat>>, n: usize) {
    let chat = &chats[pick(n)];
    let payload = vec![n as u8; PAYLOAD];
    let ciphertext = Ciphertext::new(payload.into(), &[7; 24], None, None).unwrap();
    // As a client does it: with its own name for the message, so that a retry is recognized.
    let client_id = Some(ClientMessageId::from(uuid_v7()));
    let message =
        SendMessage { client_id, ..SendMessage::new(chat.id, ciphertext, Timestamp::from_millis(1)) };
    service.send(&chat.sender, message).await.unwrap();
}

/// The way by hand.
struct ByHand {
    connection: std::sync::Mutex<Connection>,
    chats: Vec<(String, String, String)>,
}

impl ByHand {
    fn open(path: &Path, chats: &[Chat]) -> Self {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                 CREATE TABLE conversations (id TEXT PRIMARY KEY, a TEXT, b TEXT, last_message_at INTEGER,
                                             sequence INTEGER NOT NULL DEFAULT 0, UNIQUE (a, b));
                 CREATE TABLE messages (id TEXT PRIMARY KEY, conversation_id TEXT, sender TEXT, payload BLOB,
                                        nonce BLOB, timestamp INTEGER, server_sequence INTEGER);
                 CREATE INDEX messages_by_conversation ON messages (conversation_id, server_sequence);
                 CREATE TABLE offline (id TEXT PRIMARY KEY, recipient TEXT, message_id TEXT, queued_at INTEGER);
                 CREATE INDEX offline_by_recipient ON offline (recipient, queued_at);
                 BEGIN;",
            )
            .unwrap();
        let mut rows = Vec::new();
        for chat in chats {
            let row = (chat.id.to_string(), chat.sender.user.to_string(), chat.recipient.to_string());
            connection
                .execute(
                    "INSERT INTO conversations (id, a, b) VALUES (?1, ?2, ?3)",
                    params![row.0, row.1, row.2],
                )
                .unwrap();
            rows.push(row);
        }
        connection.execute_batch("COMMIT").unwrap();
        Self { connection: connection.into(), chats: rows }
    }

    fn send(&self, n: usize) {
        let (conversation, sender, recipient) = &self.chats[pick(n)];
        let (id, payload) = (uuid_v7().to_string(), vec![n as u8; PAYLOAD]);
        let connection = self.connection.lock().unwrap();
        let sequence: i64 = connection
            .prepare_cached(
                "UPDATE conversations SET sequence = sequence + 1, last_message_at = ?2 WHERE id = ?1 RETURNING sequence",
            )
            .unwrap()
            .query_row(params![conversation, n as i64], |row| row.get(0))
            .unwrap();
        connection
            .prepare_cached("INSERT INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
            .unwrap()
            .execute(params![id, conversation, sender, payload, [7_u8; 24], n as i64, sequence])
            .unwrap();
        let participants: (String, String) = connection
            .prepare_cached("SELECT a, b FROM conversations WHERE id = ?1")
            .unwrap()
            .query_row([conversation], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert!(participants.0 == *sender || participants.1 == *sender);
        connection
            .prepare_cached("INSERT INTO offline VALUES (?1, ?2, ?3, ?4)")
            .unwrap()
            .execute(params![uuid_v7().to_string(), recipient, id, n as i64])
            .unwrap();
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

/// Fills the store up to a million messages, and opens it a few times.
async fn measure_open(service: &Service, chats: &Arc<Vec<Chat>>, path: &Path) {
    const MILLION: usize = 1_000_000;
    let mut stored = 0;
    for chat in chats.iter() {
        stored += service.conversation(&chat.sender, chat.id).await.unwrap().head.get() as usize;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for n in stored..MILLION {
        if tasks.len() == 2 * SENDERS {
            tasks.join_next().await;
        }
        if n % 50_000 == 0 {
            eprintln!("{n} of {MILLION} messages stored …");
        }
        tasks.spawn(send(service.clone(), Arc::clone(chats), n));
    }
    tasks.join_all().await;
    let size = std::fs::metadata(path).unwrap().len();
    println!("{MILLION} messages stored, {} bytes on disk each", size / MILLION as u64);
    for _ in 0..3 {
        let began = Instant::now();
        let store = SqliteStore::open(path).unwrap();
        let opened = began.elapsed();
        let dm = Service::builder(store).start().unwrap();
        let page = dm.history(&chats[0].sender, chats[0].id, HistoryRange::Newest, 50).await.unwrap();
        println!(
            "opened in {opened:.1?}, first page of {} after {:.1?}",
            page.messages.len(),
            began.elapsed()
        );
    }
}
