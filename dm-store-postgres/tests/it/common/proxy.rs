//! A proxy between a store and its server, which drops or delays messages as its [`Mode`] says.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use dm_test_servers::postgres::Database;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

/// The behaviour of the proxy. `COMMIT` in the following means the next `COMMIT` that a client
/// sends.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Forwards everything.
    Forward = 0,
    /// Forwards `COMMIT`. Closes the connection when the server has answered, so that the client
    /// does not get the answer. New connections are forwarded.
    DropCommitAnswer = 1,
    /// Acts as `DropCommitAnswer`, and refuses all new connections after that.
    DropCommitAnswerAndRefuse = 2,
    /// Refuses all new connections.
    Refuse = 3,
    /// Holds `COMMIT` back and closes the client's connection. The server gets `COMMIT` when
    /// [`Proxy::release`] is called.
    HoldCommit = 4,
    /// Forwards nothing, in either direction, and leaves all connections open.
    Stall = 5,
    /// Forwards `COMMIT`, and nothing after it on this connection, which stays open. Other
    /// connections are forwarded.
    StallAfterCommit = 6,
    /// Forwards `COMMIT`, and nothing after it on any connection. All connections stay open.
    StallAllAfterCommit = 7,
    /// Forwards everything but the `options` of new sessions, as some poolers do.
    DropOptions = 8,
}

/// A proxy with a Unix socket in one folder, for a server with a Unix socket in another folder.
pub struct Proxy {
    mode: Arc<AtomicU8>,
    signals: Arc<Signals>,
}

/// The events that tests and connections wait for.
#[derive(Default)]
struct Signals {
    /// The test releases a `COMMIT` that is held back.
    release: Notify,
    /// The server answered the released `COMMIT`.
    answered: Notify,
    /// A client closed a connection on which nothing is forwarded.
    client_closed: Notify,
}

impl Proxy {
    /// Starts a proxy for a database. Returns the proxy, the parameters to connect through it, and
    /// the folder of its socket.
    pub fn in_front_of(database: &Database) -> (Self, String, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let direct = database.parameters();
        let server = direct.split_whitespace().find_map(|part| part.strip_prefix("host=")).unwrap();
        let proxy = Self::between(folder.path(), Path::new(server));
        (proxy, direct.replace(server, folder.path().to_str().unwrap()), folder)
    }

    fn between(folder: &Path, server: &Path) -> Self {
        let listener = UnixListener::bind(folder.join(".s.PGSQL.5432")).unwrap();
        let mode = Arc::new(AtomicU8::new(Mode::Forward as u8));
        let server = server.join(".s.PGSQL.5432");
        let shared = Arc::clone(&mode);
        let signals = Arc::new(Signals::default());
        let shared_signals = Arc::clone(&signals);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if shared.load(Ordering::SeqCst) == Mode::Refuse as u8 {
                    continue;
                }
                let server = UnixStream::connect(&server).await.unwrap();
                tokio::spawn(relay(client, server, Arc::clone(&shared), Arc::clone(&shared_signals)));
            }
        });
        Self { mode, signals }
    }

    /// Forwards the `COMMIT` that is held back, and waits for the server's answer.
    pub async fn release(&self) {
        self.signals.release.notify_one();
        self.signals.answered.notified().await;
    }

    /// Waits until a client closes a connection on which nothing is forwarded.
    pub async fn client_closed(&self) {
        self.signals.client_closed.notified().await;
    }

    pub fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }
}

/// The startup message of a session, without its `options`; `None` for any other message.
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

/// Forwards between a client and the server, as `mode` says, until either side closes the
/// connection.
async fn relay(client: UnixStream, server: UnixStream, mode: Arc<AtomicU8>, signals: Arc<Signals>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut request, mut response) = (vec![0; 65_536], vec![0; 65_536]);
    // The server's answer to `COMMIT` ends with this message (`ReadyForQuery`, status idle).
    let idle = b"Z\0\0\0\x05I";
    let mut drops_answer = false;
    loop {
        tokio::select! {
            read = from_client.read(&mut request) => {
                let Ok(read @ 1..) = read else { return };
                let now = mode.load(Ordering::SeqCst);
                let commits = request[..read].windows(7).any(|word| word == b"COMMIT\0");
                let stalls = [Mode::StallAfterCommit as u8, Mode::StallAllAfterCommit as u8].contains(&now);
                if now == Mode::Stall as u8 || (stalls && commits) {
                    if stalls {
                        let all = now == Mode::StallAllAfterCommit as u8;
                        let next = if all { Mode::Stall } else { Mode::Forward };
                        mode.store(next as u8, Ordering::SeqCst);
                        to_server.write_all(&request[..read]).await.unwrap();
                    }
                    while from_client.read(&mut request).await.is_ok_and(|read| read > 0) {}
                    signals.client_closed.notify_one();
                    return;
                }
                if now == Mode::HoldCommit as u8 && commits {
                    mode.store(Mode::Forward as u8, Ordering::SeqCst);
                    drop((from_client, to_client));
                    signals.release.notified().await;
                    to_server.write_all(&request[..read]).await.unwrap();
                    let mut answer = Vec::new();
                    while !answer.windows(6).any(|word| word == idle) {
                        assert!(from_server.read_buf(&mut answer).await.unwrap() > 0, "the server closed the connection without an answer");
                    }
                    signals.answered.notify_one();
                    return;
                }
                if [Mode::DropCommitAnswer as u8, Mode::DropCommitAnswerAndRefuse as u8].contains(&now)
                    && commits
                {
                    drops_answer = true;
                    let refuses = now == Mode::DropCommitAnswerAndRefuse as u8;
                    let next = if refuses { Mode::Refuse } else { Mode::Forward };
                    mode.store(next as u8, Ordering::SeqCst);
                }
                let drops_options = now == Mode::DropOptions as u8;
                let starts = drops_options.then(|| without_options(&request[..read])).flatten();
                let passed = starts.as_deref().unwrap_or(&request[..read]);
                if to_server.write_all(passed).await.is_err() {
                    return;
                }
            }
            read = from_server.read(&mut response) => {
                let Ok(read @ 1..) = read else { return };
                if drops_answer && response[..read].windows(6).any(|word| word == idle) {
                    return;
                }
                if !drops_answer && to_client.write_all(&response[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}
