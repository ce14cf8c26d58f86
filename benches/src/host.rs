//! The reference host as a process of its own, and people who are signed in at it.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use dm_client::sign_in::sign_in;
use dm_client::{Client, ConversationId, Identity, Timeouts};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::options::Options;
use crate::subject::Kind;

/// A running host, which ends when this is dropped.
pub(crate) struct Host {
    child: Child,
    /// `127.0.0.1` and a port.
    pub(crate) address: String,
    _data: tempfile::TempDir,
}

/// Somebody signed in, and the conversation they write to.
pub(crate) struct Member {
    pub(crate) token: String,
    pub(crate) conversation: ConversationId,
}

impl Host {
    pub(crate) async fn start(options: &Options) -> anyhow::Result<Self> {
        Self::start_in(options.folder()?, options.store, None).await
    }

    /// Starts a host on a folder, with so many file descriptors at most.
    pub(crate) async fn start_in(
        data: tempfile::TempDir,
        store: Kind,
        descriptors: Option<u32>,
    ) -> anyhow::Result<Self> {
        let program = program().await?;
        let mut command = match descriptors {
            None => Command::new(program),
            Some(most) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {most} && exec \"$0\" \"$@\"")]).arg(program);
                shell
            }
        };
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(data.path());
        command.args(["--store", &store.name()]);
        // All the load comes from one address.
        command.args(["--connections-per-address", "0"]);
        command.env("RUST_LOG", "warn").stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("chat-host does not start")?;
        let mut lines = BufReader::new(child.stdout.take().context("a pipe")?).lines();
        let line = lines.next_line().await?.context("chat-host ended")?;
        let address = line.strip_prefix("listening on http://").context("another first line")?.to_owned();
        Ok(Self { child, address, _data: data })
    }

    /// Signs in so many people, each with a conversation with the next, the last with the first.
    pub(crate) async fn members(&self, count: usize) -> anyhow::Result<Vec<Member>> {
        self.members_from(0, count).await
    }

    /// As [`members`](Self::members), with other people: the first is the one of that number.
    pub(crate) async fn members_from(&self, first: usize, count: usize) -> anyhow::Result<Vec<Member>> {
        let base = format!("http://{}", self.address);
        let mut tasks = JoinSet::new();
        let mut clients = Vec::new();
        for n in 0..count {
            let base = base.clone();
            tasks.spawn(async move {
                let identity = Identity::from_seed(&seed(first + n));
                let name = format!("Person {}", first + n);
                let session = sign_in(&base, &identity, Some(&name), None, Timeouts::default()).await?;
                let client = Client::builder(base).token(session.token.clone()).build()?;
                client.publish_key(&identity.agreement_key()).await?;
                anyhow::Ok((n, session.token, identity.public_key(), client))
            });
            // A few at a time: this is not what is measured.
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

    /// Resident memory of the host, in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        crate::machine::resident(&self.child.id().context("it runs")?.to_string())
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// The public key of the person of a number.
pub(crate) fn key(n: usize) -> dm_client::PublicKey {
    Identity::from_seed(&seed(n)).public_key()
}

fn seed(n: usize) -> [u8; 32] {
    let mut seed = [9; 32];
    seed[..8].copy_from_slice(&(n as u64).to_be_bytes());
    seed
}

/// The host's program, of the same build as this one.
async fn program() -> anyhow::Result<PathBuf> {
    let beside = std::env::current_exe()?.with_file_name("chat-host");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built =
        Command::new(cargo).args(["build", "--quiet", "--release", "-p", "chat-host"]).status().await?;
    ensure!(built.success() && beside.exists(), "chat-host could not be built beside this program");
    Ok(beside)
}
