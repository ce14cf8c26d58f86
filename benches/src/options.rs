//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::subject::Kind;

/// Measures the direct-message service.
#[derive(Debug, clap::Parser)]
#[command(version)]
pub(crate) enum Command {
    /// Durable sends: throughput, latency, bytes on disk per message, batch size
    Send(Options),
    /// One device receives and acknowledges all its pending entries
    Drain(Options),
    /// From a send to its arrival at a connected recipient, at 100 messages per second
    Push(Options),
    /// A page of 50 messages at the newest end of a conversation, 10,000 back and a million back
    History(Options),
    /// The 50 most recent conversations of a user
    List(Options),
    /// Memory of idle sessions
    Sessions(Options),
    /// Sends while entries expire, compared with sends without expiry
    Expire(Options),
    /// The reference host over loopback: REST, WebSocket, a backlog, waiting connections
    Http(Options),
    /// The reference host compared with Redis Streams that sync before they answer, by turns; takes
    /// `redis-server`
    Redis(Options),
    /// WebSockets that wait: memory and processor time in the reference host
    Connections(Options),
    /// Attacks on the reference host by turns, and their effect on unrelated users
    Attack(AttackOptions),
    /// Opening a store, after it was closed and after it was killed
    Open(Options),
    /// Sends to conversations and users that are not in memory, compared with sends among few, by
    /// turns
    Cold {
        /// Turns.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        #[command(flatten)]
        options: Options,
    },
    /// Three nodes on one PostgreSQL and one NATS, compared with one node and with a transaction
    /// per message; latency between nodes
    Cluster(Options),
    /// Sends to two subjects by turns, and their ratio
    Compare {
        /// The first subject.
        one: Kind,
        /// The second subject, to which the first is compared.
        other: Kind,
        /// Turns.
        #[arg(long, default_value_t = 4)]
        rounds: usize,
        #[command(flatten)]
        options: Options,
    },
    /// All measurements, written as a page with plots
    Report {
        /// The folder for `performance.md` and its plots.
        #[arg(long, default_value = "docs")]
        out: PathBuf,
        /// Four minutes instead of twenty, to check that it runs
        #[arg(long)]
        quick: bool,
        /// With five million messages stored instead of one, and a million conversations: an hour
        #[arg(long, conflicts_with = "quick")]
        full: bool,
    },
    /// Fill a folder until the process is killed; a part of `open`
    #[command(hide = true)]
    Fill {
        folder: PathBuf,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct AttackOptions {
    /// The store of the host: sqlite, redb, fjall or memory. Full disks and a frozen PostgreSQL use
    /// stores of their own
    #[arg(long, value_enum, default_value_t = Kind::Sqlite)]
    pub(crate) store: Kind,
    /// Turns of each attack: a quiet half, then one under attack
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Seconds of each half of a turn
    #[arg(long, default_value_t = 2)]
    pub(crate) seconds: u64,
    /// Only attacks whose name contains this
    #[arg(long)]
    pub(crate) only: Option<String>,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// The subject of the measurement
    #[arg(long, value_enum, default_value_t = Kind::Sqlite)]
    pub(crate) store: Kind,
    /// Concurrent calls; for bare engines, messages per transaction
    #[arg(long, default_value_t = 256)]
    pub(crate) in_flight: usize,
    /// Conversations
    #[arg(long, default_value_t = 10_000)]
    pub(crate) conversations: usize,
    /// Users among whom the conversations are
    #[arg(long, default_value_t = 2_000)]
    pub(crate) users: usize,
    /// The store is opened anew, and each message goes to another conversation
    #[arg(long)]
    pub(crate) cold: bool,
    /// Each user has a key and each pair a gate, and each send names the key version; in `compare`,
    /// only those to the first subject
    #[arg(long)]
    pub(crate) conditions: bool,
    /// Writes per second that a host makes to its own table in the store's file; on SQLite
    #[arg(long, default_value_t = 0)]
    pub(crate) host_writes: u32,
    /// Bytes of ciphertext per message
    #[arg(long, default_value_t = 512)]
    pub(crate) payload: usize,
    /// Seconds to measure
    #[arg(long, default_value_t = 8)]
    pub(crate) seconds: u64,
    /// Messages stored before the measurement; each workload has its own default
    #[arg(long)]
    pub(crate) preload: Option<usize>,
    /// Folder for the data; a temporary folder in it is removed afterwards
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Options {
    pub(crate) const fn span(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    pub(crate) fn folder(&self) -> std::io::Result<tempfile::TempDir> {
        match &self.dir {
            Some(dir) => tempfile::tempdir_in(dir),
            None => tempfile::tempdir(),
        }
    }
}
