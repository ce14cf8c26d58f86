//! Stands between a store and its server, and cuts the connection when it matters.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use dm_test_servers::postgres::Database;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

/// What it does to the next `COMMIT`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mood {
    /// Passes everything on.
    Honest = 0,
    /// Lets it through, and cuts the connection once the server has answered: then it is back to passing on.
    CutsTheAnswer = 1,
    /// The same, and refuses everybody from then on.
    CutsForGood = 2,
    /// Refuses everybody.
    Refuses = 3,
    /// Holds it back and cuts the connection; the server gets it once [`Proxy::release`] is called.
    HoldsIt = 4,
    /// Passes nothing on, in either direction, and leaves all connections open.
    Silent = 5,
    /// Lets it through, and passes nothing on afterwards on this connection, which stays open.
    SwallowsTheAnswer = 6,
    /// The same, and is silent to everybody from then on.
    SilentAfterIt = 7,
    /// Passes everything on but the `options` of new sessions, as some poolers do.
    DropsOptions = 8,
}

/// A socket in a folder, for a server with its socket in another.
pub struct Proxy {
    mood: Arc<AtomicU8>,
    held: Arc<Held>,
}

/// What is held back, and what came of it.
#[derive(Default)]
struct Held {
    release: Notify,
    answered: Notify,
    /// A client closed a connection on which nothing was passed on.
    left: Notify,
}

impl Proxy {
    /// Stands in front of a database; the parameters to connect to it, and the folder with its
    /// socket.
    pub fn in_front_of(database: &Database) -> (Self, String, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let direct = database.parameters();
        let server = direct.split_whitespace().find_map(|part| part.strip_prefix("host=")).unwrap();
        let proxy = Self::between(folder.path(), Path::new(server));
        (proxy, direct.replace(server, folder.path().to_str().unwrap()), folder)
    }

    fn between(folder: &Path, server: &Path) -> Self {
        let listener = UnixListener::bind(folder.join(".s.PGSQL.5432")).unwrap();
        let mood = Arc::new(AtomicU8::new(Mood::Honest as u8));
        let server = server.join(".s.PGSQL.5432");
        let shared = Arc::clone(&mood);
        let held = Arc::new(Held::default());
        let holding = Arc::clone(&held);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if shared.load(Ordering::SeqCst) == Mood::Refuses as u8 {
                    continue;
                }
                let server = UnixStream::connect(&server).await.unwrap();
                tokio::spawn(relay(client, server, Arc::clone(&shared), Arc::clone(&holding)));
            }
        });
        Self { mood, held }
    }

    /// Gives the server what is held back, and waits for its answer.
    pub async fn release(&self) {
        self.held.release.notify_one();
        self.held.answered.notified().await;
    }

    /// Waits until a client closes a connection on which nothing is passed on.
    pub async fn left(&self) {
        self.held.left.notified().await;
    }

    pub fn set(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::SeqCst);
    }
}

/// The message that starts a session, without its `options`; `None` for another message.
fn without_options(message: &[u8]) -> Option<Vec<u8>> {
    let (head, parameters) = message.split_at_checked(8)?;
    if head[4..] != [0, 3, 0, 0] {
        return None;
    }
    let parts: Vec<_> = parameters.split(|byte| *byte == 0).collect();
    let mut kept = Vec::new();
    for pair in parts.chunks_exact(2).take_while(|pair| !pair[0].is_empty()) {
        if pair[0] != b"options" {
            kept.extend([pair[0], b"\0", pair[1], b"\0"].concat());
        }
    }
    kept.push(0);
    let len = u32::try_from(8 + kept.len()).unwrap().to_be_bytes();
    Some([&len, &head[4..], &kept].concat())
}

async fn relay(client: UnixStream, server: UnixStream, mood: Arc<AtomicU8>, held: Arc<Held>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut asked, mut said) = (vec![0; 65_536], vec![0; 65_536]);
    // The last answer to `COMMIT` says that the session is in no transaction.
    let idle = b"Z\0\0\0\x05I";
    let mut cuts = false;
    loop {
        tokio::select! {
            read = from_client.read(&mut asked) => {
                let Ok(read @ 1..) = read else { return };
                let now = mood.load(Ordering::SeqCst);
                let commits = asked[..read].windows(7).any(|word| word == b"COMMIT\0");
                let swallows = [Mood::SwallowsTheAnswer as u8, Mood::SilentAfterIt as u8].contains(&now);
                if now == Mood::Silent as u8 || (swallows && commits) {
                    if swallows {
                        let next = if now == Mood::SilentAfterIt as u8 { Mood::Silent } else { Mood::Honest };
                        mood.store(next as u8, Ordering::SeqCst);
                        to_server.write_all(&asked[..read]).await.unwrap();
                    }
                    while from_client.read(&mut asked).await.is_ok_and(|read| read > 0) {}
                    held.left.notify_one();
                    return;
                }
                if now == Mood::HoldsIt as u8 && commits {
                    mood.store(Mood::Honest as u8, Ordering::SeqCst);
                    drop((from_client, to_client));
                    held.release.notified().await;
                    to_server.write_all(&asked[..read]).await.unwrap();
                    let mut answer = Vec::new();
                    while !answer.windows(6).any(|word| word == idle) {
                        assert!(from_server.read_buf(&mut answer).await.unwrap() > 0, "no answer");
                    }
                    held.answered.notify_one();
                    return;
                }
                if [Mood::CutsTheAnswer as u8, Mood::CutsForGood as u8].contains(&now)
                    && commits
                {
                    cuts = true;
                    let next = if now == Mood::CutsForGood as u8 { Mood::Refuses } else { Mood::Honest };
                    mood.store(next as u8, Ordering::SeqCst);
                }
                let drops = now == Mood::DropsOptions as u8;
                let starts = drops.then(|| without_options(&asked[..read])).flatten();
                let passed = starts.as_deref().unwrap_or(&asked[..read]);
                if to_server.write_all(passed).await.is_err() {
                    return;
                }
            }
            read = from_server.read(&mut said) => {
                let Ok(read @ 1..) = read else { return };
                if cuts && said[..read].windows(6).any(|word| word == idle) {
                    return;
                }
                if !cuts && to_client.write_all(&said[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}
