//! NATS.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::guarded::Guarded;
use crate::shared;

/// The time limit for a server to start, stop or answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server for one test. It ends when this is dropped, or with the process if that is killed. It
/// listens on ports of 127.0.0.1 that were free.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    /// The lines of its configuration, except the ports.
    lines: String,
    /// The ports for clients and for monitoring. They stay the same when the server is started
    /// again.
    ports: (u16, u16),
    process: Option<Guarded>,
}

/// Whether NATS is installed.
#[must_use]
pub fn is_installed() -> bool {
    shared::answers(Path::new("nats-server"))
}

impl Server {
    /// Starts a server without authentication.
    ///
    /// # Panics
    /// Panics if `nats-server` is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::configured("", &[])
    }

    /// Starts a server with more lines of configuration, and with files that these lines name
    /// without a folder.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn configured(lines: &str, files: &[(&str, &str)]) -> Self {
        let folder = shared::folder(&format!("nats-{}-{}", std::process::id(), shared::unique()));
        for (name, text) in files {
            fs::write(folder.join(name), text).expect("the folder is ours");
        }
        // The server writes its ports and its log into the folder.
        shared::give(&folder, "nats");
        let mut server = Self { folder, lines: lines.to_owned(), ports: (0, 0), process: None };
        server.restart();
        server
    }

    /// Restarts the server with other lines of configuration.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn configure(&mut self, lines: &str) {
        lines.clone_into(&mut self.lines);
        self.restart();
    }

    /// Ends the server if it runs, and starts it on the same ports.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn restart(&mut self) {
        self.stop();
        // -1 makes the server choose a free port.
        let listen = |port| if port == 0 { -1 } else { i32::from(port) };
        let text = format!(
            "listen: \"127.0.0.1:{}\"\nhttp: \"127.0.0.1:{}\"\nports_file_dir: \"{}\"\n{}\n",
            listen(self.ports.0),
            listen(self.ports.1),
            self.folder.display(),
            self.lines,
        );
        fs::write(self.folder.join("server.conf"), text).expect("the folder is ours");
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log"));
        let log = log.expect("the folder is ours");
        let mut command = shared::without_rights("nats", Path::new("nats-server"));
        command.args(["-c", "server.conf"]).current_dir(&self.folder);
        command.stdout(log.try_clone().expect("a second handle")).stderr(log);
        let child = Guarded::spawn(&mut command, &self.folder);
        let file = self.folder.join(format!("nats-server_{}.ports", child.id()));
        self.process = Some(child);
        let end = Instant::now() + PATIENCE;
        while !self.read_ports(&file) {
            let ended = self.process.as_mut().and_then(Guarded::ended);
            assert!(ended.is_none(), "the server ended: {ended:?}: {}", self.log());
            assert!(Instant::now() < end, "the server does not take connections: {}", self.log());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Kills the server.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Stops the process with SIGSTOP: connections stay open, and nothing is answered.
    ///
    /// # Panics
    /// Panics if no server runs.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets a paused process continue.
    ///
    /// # Panics
    /// Panics if no server runs.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// The address that clients connect to: `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.0)
    }

    /// A number of the server's monitoring, such as `num_subscriptions` of `/subsz`.
    ///
    /// # Panics
    /// Panics if the server does not answer, or if the page does not have the number.
    #[must_use]
    pub fn number(&self, page: &str, name: &str) -> u64 {
        let text = self.monitor(page);
        let (_, rest) = text.split_once(&format!("\"{name}\":")).expect("the page has the number");
        let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    }

    /// A page of the server's monitoring, as text.
    ///
    /// # Panics
    /// Panics if the server does not answer.
    #[must_use]
    pub fn monitor(&self, page: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports.1)).expect("monitoring listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        write!(stream, "GET {page} HTTP/1.0\r\n\r\n").expect("monitoring reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("monitoring answers");
        text
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.as_ref().expect("the server runs").id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal}");
    }

    /// Reads the ports from the file that a server writes once it listens.
    fn read_ports(&mut self, file: &Path) -> bool {
        let text = fs::read_to_string(file).unwrap_or_default();
        let port = |kind: &str| {
            let (_, rest) = text.split_once(&format!("\"{kind}\""))?;
            let (_, rest) = rest.split_once("127.0.0.1:")?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        match (port("nats").or_else(|| port("tls")), port("monitoring")) {
            (Some(client), Some(monitoring)) => {
                self.ports = (client, monitoring);
                true
            }
            _ => false,
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
