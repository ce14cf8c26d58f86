//! Two users who are signed in. The first is the attacker, and the second has written messages to
//! the first.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::cores;
use super::harm::{Attack, Kind};
use crate::host::{Host, Member};
use crate::wire;

/// The address that they connect from. It differs from that of all other users, as the address of a
/// real attacker would.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The number of the first attacker, apart from those of bystanders and newcomers.
const FIRST: usize = 1_000;
/// The pause between two rounds of an attack on one connection.
const PACE: Duration = Duration::from_millis(20);

/// The attackers of a host, and the accounts and addresses that they use.
#[derive(Clone)]
pub(super) struct Attackers {
    pub(super) address: String,
    pub(super) attacker: Member,
}

/// A running attack, on its own thread with the lowest priority: the bystanders are in the same
/// process, and the work of the attackers must not delay their measurements. The attack ends and
/// closes its connections when this is dropped.
pub(super) struct RunningAttack {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    rounds: Arc<AtomicU64>,
}

impl Attackers {
    /// Signs them in and writes the messages that the attack needs.
    pub(super) async fn join(host: &Host, attack: &Attack) -> anyhow::Result<Self> {
        let members = host.members_from(FIRST, 2).await?;
        let [attacker, correspondent] = members.as_slice() else { anyhow::bail!("not two people") };
        wire::send_many(&host.address, correspondent, attack.received, 32 * 1024).await?;
        wire::send_many(&host.address, attacker, attack.sent, 64).await?;
        Ok(Self { address: host.address.clone(), attacker: attacker.clone() })
    }

    /// Starts the attack. It continues until the returned value is dropped.
    pub(super) fn begin(&self, attack: &Attack) -> anyhow::Result<RunningAttack> {
        let (stop, stopped) = oneshot::channel();
        let rounds = Arc::new(AtomicU64::new(0));
        let (attackers, kind, connections) = (self.clone(), attack.kind, attack.connections);
        let counted = Arc::clone(&rounds);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::spawn(move || {
            cores::lower_priority();
            runtime.block_on(async {
                let mut tasks = JoinSet::new();
                for n in 0..connections {
                    tasks.spawn(attackers.clone().go_on(kind, n, Arc::clone(&counted)));
                }
                let _dropped = stopped.await;
            });
        });
        Ok(RunningAttack { stop: Some(stop), thread: Some(thread), rounds })
    }

    /// Whether the host serves them once they behave.
    pub(super) async fn are_served(&self) -> bool {
        let served = async {
            let mut requests = wire::requests(self.dial().await?).await?;
            let (status, _) = wire::get(&mut requests, &self.attacker.token, "/api/dm/conversations").await?;
            anyhow::ensure!(status == 200, "{status}");
            wire::post(&mut requests, &self.attacker, 64).await
        };
        matches!(tokio::time::timeout(super::RECOVERY, served).await, Ok(Ok(())))
    }

    pub(super) async fn dial(&self) -> anyhow::Result<TcpStream> {
        wire::dial(&self.address, ADDRESS).await
    }

    /// Sends a request on a connection with a small receive buffer whose answer is not read.
    pub(super) async fn unread(&self, request: &[u8]) -> anyhow::Result<TcpStream> {
        use tokio::io::AsyncWriteExt as _;
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4 * 1024)?;
        socket.bind((ADDRESS, 0).into())?;
        let mut stream = socket.connect(self.address.parse().context("an address")?).await?;
        stream.write_all(request).await?;
        Ok(stream)
    }

    async fn go_on(self, kind: Kind, n: usize, rounds: Arc<AtomicU64>) {
        loop {
            rounds.fetch_add(1, Ordering::Relaxed);
            // The host may refuse or close a connection; that is no failure.
            let _refused = kind.round(&self, n).await;
            tokio::time::sleep(PACE).await;
        }
    }
}

impl RunningAttack {
    /// The number of rounds that were begun, whether or not the host refused them.
    pub(super) fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }
}

impl Drop for RunningAttack {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _panicked = self.thread.take().map(JoinHandle::join);
    }
}
