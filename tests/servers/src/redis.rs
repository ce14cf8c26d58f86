//! A Redis server.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::guarded::Guarded;
use crate::shared;

/// The time limit for the server to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server for one measurement. It ends when this is dropped, or with the process if that is
/// killed. It syncs its log before it answers a command, and listens on a port of 127.0.0.1 that
/// was free.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    port: u16,
    process: Option<Guarded>,
}

/// Whether Redis is installed.
#[must_use]
pub fn is_installed() -> bool {
    shared::answers(Path::new("redis-server"))
}

impl Server {
    /// Starts a server without data.
    ///
    /// # Panics
    /// Panics if `redis-server` is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let folder = shared::folder(&format!("redis-{}-{}", std::process::id(), shared::unique()));
        shared::give(&folder, "redis");
        // The port is free again before the server takes it, because the server cannot choose one
        // itself.
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        let mut command = shared::without_rights("redis", Path::new("redis-server"));
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--logfile", "log"]);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
        command.current_dir(&folder);
        let mut process = Guarded::spawn(&mut command, &folder);
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = process.ended();
            assert!(ended.is_none(), "the server ended: {ended:?}");
            assert!(Instant::now() < end, "the server takes no connections");
            std::thread::park_timeout(Duration::from_millis(5));
        }
        Self { folder, port, process: Some(process) }
    }

    /// The address that clients connect to: `redis://host:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process ends first, because it writes to the folder.
        self.process = None;
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
