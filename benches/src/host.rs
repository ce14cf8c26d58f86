//! The reference host as a separate process, and users who are signed in at it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use dm_client::sign_in::sign_in;
use dm_client::{Client, ConversationId, Identity, Timeouts};
use dm_core::UserId;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use crate::machine;
use crate::options::Options;
use crate::subject::Kind;

/// A running host. It ends when this is dropped.
pub(crate) struct Host {
    child: Child,
    /// `127.0.0.1` and a port.
    pub(crate) address: String,
    _data: Option<tempfile::TempDir>,
}

/// The options of a host.
pub(crate) struct Setup<'a> {
    /// The folder of its accounts and messages. It stays after the host ended.
    pub(crate) data: &'a Path,
    pub(crate) store: Kind,
    /// Parameters of the database, for the PostgreSQL store.
    pub(crate) postgres: Option<String>,
    /// The most connections from one address; zero for no limit. `None` leaves the host's default.
    pub(crate) per_address: Option<u32>,
    /// The most file descriptors, if fewer than this process may have.
    pub(crate) descriptors: Option<u32>,
    /// The cores that it runs on, in the form that `taskset` takes. `None` for all.
    pub(crate) cores: Option<&'a str>,
    /// The log level: `warn`, or `off` if failures are expected.
    pub(crate) log: &'static str,
}

/// A user who is signed in, and the conversation that they send to.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) token: String,
    pub(crate) conversation: ConversationId,
}

impl Host {
    pub(crate) async fn start(options: &Options) -> anyhow::Result<Self> {
        let data = options.folder()?;
        let mut setup = Setup::new(data.path(), options.store);
        // All load comes from one address.
        setup.per_address = Some(0);
        let host = Self::start_with(&setup).await?;
        Ok(Self { _data: Some(data), ..host })
    }

    pub(crate) async fn start_with(setup: &Setup<'_>) -> anyhow::Result<Self> {
        let mut child = setup.command().await?.spawn().context("chat-host does not start")?;
        let mut lines = BufReader::new(child.stdout.take().context("a pipe")?).lines();
        let line = lines.next_line().await?.context("chat-host ended")?;
        let address = line.strip_prefix("listening on http://").context("another first line")?.to_owned();
        Ok(Self { child, address, _data: None })
    }

    /// Signs in so many users, each with a conversation with the next, and the last with the first.
    pub(crate) async fn members(&self, count: usize) -> anyhow::Result<Vec<Member>> {
        self.members_from(0, count).await
    }

    /// As [`members`](Self::members), with other users: the number of the first one is `first`.
    pub(crate) async fn members_from(&self, first: usize, count: usize) -> anyhow::Result<Vec<Member>> {
        let base = format!("http://{}", self.address);
        let mut tasks = JoinSet::new();
        let mut clients = Vec::new();
        for n in 0..count {
            let base = base.clone();
            tasks.spawn(async move {
                let identity = Identity::from_seed(&seed(first + n));
                let name = format!("Person {}", first + n);
                let login = sign_in(&base, &identity, Some(&name), None, Timeouts::default()).await?;
                let client = Client::builder(base).token(login.token.clone()).build()?;
                client.publish_key(&identity.agreement_key()).await?;
                anyhow::Ok((n, login.token, identity.user_id(), client))
            });
            // A few at a time, because the sign-in is not measured.
            if tasks.len() == 16 {
                clients.push(tasks.join_next().await.context("a task")???);
            }
        }
        while let Some(client) = tasks.join_next().await {
            clients.push(client??);
        }
        clients.sort_by_key(|(n, ..)| *n);
        let keys: Vec<_> = clients.iter().map(|(_, _, key, _)| *key).collect();
        let mut members = Vec::new();
        for (n, token, _, client) in clients {
            let conversation = client.open_conversation(&keys[(n + 1) % count]).await?.id;
            members.push(Member { token, conversation });
        }
        Ok(members)
    }

    /// The resident memory of the host, in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        machine::resident(&self.process()?)
    }

    /// The most resident memory that the host had so far, in bytes.
    pub(crate) fn most_resident(&self) -> anyhow::Result<u64> {
        machine::most_resident(&self.process()?)
    }

    /// The processor time that the host has used.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        machine::processor_time(&self.process()?)
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    fn process(&self) -> anyhow::Result<String> {
        Ok(self.child.id().context("the host has ended")?.to_string())
    }
}

impl<'a> Setup<'a> {
    /// The host's defaults.
    pub(crate) const fn new(data: &'a Path, store: Kind) -> Self {
        Self { data, store, postgres: None, per_address: None, descriptors: None, cores: None, log: "warn" }
    }

    /// The host replaces the shell and `taskset` in the process of the command.
    async fn command(&self) -> anyhow::Result<Command> {
        let mut words = Vec::new();
        if let Some(most) = self.descriptors {
            let limit = format!("ulimit -n {most} && exec \"$0\" \"$@\"");
            words.extend(["sh".into(), "-c".into(), limit.into()]);
        }
        if let Some(cores) = self.cores {
            words.extend(["taskset".into(), "--cpu-list".into(), cores.into()]);
        }
        words.push(program().await?.into_os_string());
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().context("a program")?);
        command.args(words);
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(self.data);
        command.args(["--store", &self.store.name()]);
        if let Some(most) = self.per_address {
            command.args(["--connections-per-address", &most.to_string()]);
        }
        if let Some(parameters) = &self.postgres {
            command.args(["--postgres", parameters]);
        }
        command.env("RUST_LOG", self.log).stdout(Stdio::piped()).kill_on_drop(true);
        Ok(command)
    }
}

/// The public key of the user with a number.
pub(crate) fn key(n: usize) -> dm_client::UserId {
    Identity::from_seed(&seed(n)).user_id()
}

/// The same key as the service's type.
pub(crate) fn user(n: usize) -> UserId {
    UserId::from_bytes(*key(n).as_bytes()).expect("a public key")
}

fn seed(n: usize) -> [u8; 32] {
    let mut seed = [9; 32];
    seed[..8].copy_from_slice(&(n as u64).to_be_bytes());
    seed
}

/// The path of the host's program, in the same build profile as this one. It is built once.
async fn program() -> anyhow::Result<PathBuf> {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    Ok(BUILT.get_or_try_init(build).await?.clone())
}

async fn build() -> anyhow::Result<PathBuf> {
    let beside = std::env::current_exe()?.with_file_name("chat-host");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built =
        Command::new(cargo).args(["build", "--quiet", "--release", "-p", "chat-host"]).status().await?;
    ensure!(built.success() && beside.exists(), "chat-host could not be built beside this program");
    Ok(beside)
}
