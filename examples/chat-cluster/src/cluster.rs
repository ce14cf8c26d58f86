//! The processes of a cluster.

use std::fmt;
use std::fs::File;
use std::io::Read as _;

use anyhow::{Context as _, Result};
use dm_e2e::Host;
use dm_test_servers::nats::Server;
use dm_test_servers::postgres;
use tempfile::TempDir;
use tokio::task::block_in_place;

/// Number of hosts.
pub const HOSTS: usize = 3;

/// Seconds without an event after which a host polls the database for a connection. The value is
/// less than the default of hosts, so that messages are delivered soon while NATS is down.
const LOOK_EVERY: &str = "2";

/// A database, a NATS server and hosts. The processes end when this value is dropped.
#[derive(Debug)]
pub struct Cluster {
    // Fields are dropped in this order: the hosts end before their servers.
    hosts: Vec<Host>,
    bus: Server,
    database: postgres::Cluster,
    _folder: TempDir,
}

/// A part of the cluster that can be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A host, by SIGKILL.
    Host(usize),
    /// The NATS server, by SIGKILL.
    Bus,
    /// The PostgreSQL server, by an immediate shutdown, which is like a crash.
    Database,
}

impl Part {
    /// Every part once, in the order of the kills.
    pub const ALL: [Self; HOSTS + 2] =
        [Self::Host(0), Self::Bus, Self::Host(1), Self::Database, Self::Host(2)];
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(n) => write!(f, "host {}", n + 1),
            Self::Bus => f.write_str("the bus"),
            Self::Database => f.write_str("the database"),
        }
    }
}

impl Cluster {
    /// Starts all processes on free ports with empty data in a temporary folder, and reports the
    /// progress to `report`. Needs a multi-threaded runtime.
    ///
    /// # Errors
    /// If PostgreSQL or NATS is not installed, or a host does not start.
    ///
    /// # Panics
    /// If a server does not start.
    pub async fn start(mut report: impl FnMut(&str)) -> Result<Self> {
        dm_test_servers::require()?;
        let folder = tempfile::tempdir()?;
        report("starting PostgreSQL");
        let database = block_in_place(|| {
            let database = postgres::Cluster::durable_in(folder.path());
            database.sql("postgres", "CREATE DATABASE chat");
            database
        });
        report("starting NATS");
        let bus = block_in_place(Server::start);
        let (parameters, nats) = (database.parameters("chat"), bus.address());
        let key_file = folder.path().join("hint.key");
        std::fs::write(&key_file, random_key()?)?;
        let key_file = key_file.to_str().context("a folder whose name is text")?;
        let args = [
            "--store",
            "postgres",
            "--postgres",
            &parameters,
            "--nats",
            &nats,
            "--hint-key-file",
            key_file,
            "--look-every",
            LOOK_EVERY,
        ];
        let mut hosts = Vec::new();
        for n in 1..=HOSTS {
            report(&format!("starting host {n}"));
            hosts.push(Host::start(&args).await.with_context(|| format!("host {n} does not start"))?);
        }
        Ok(Self { hosts, bus, database, _folder: folder })
    }

    /// The URLs of the hosts.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.hosts.iter().map(Host::url).collect()
    }

    /// Kills a part without a clean shutdown.
    ///
    /// # Errors
    /// If the process cannot be killed.
    pub async fn kill(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Host(n) => self.hosts.get_mut(n).context("there is no such host")?.kill().await,
            Part::Bus => {
                block_in_place(|| self.bus.stop());
                Ok(())
            }
            Part::Database => {
                block_in_place(|| self.database.crash());
                Ok(())
            }
        }
    }

    /// Restarts a part at the same address with the same data.
    ///
    /// # Errors
    /// If the part does not start.
    ///
    /// # Panics
    /// If a server does not start.
    pub async fn restart(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Host(n) => self.hosts.get_mut(n).context("there is no such host")?.restart().await,
            Part::Bus => {
                block_in_place(|| self.bus.restart());
                Ok(())
            }
            Part::Database => {
                block_in_place(|| self.database.start());
                Ok(())
            }
        }
    }
}

/// A random key, in hexadecimal digits, with which the hosts authenticate hints to each other.
fn random_key() -> Result<String> {
    let mut key = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    Ok(key.iter().map(|byte| format!("{byte:02x}")).collect())
}
