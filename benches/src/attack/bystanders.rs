//! People who have nothing to do with the attack.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::nothing;
use crate::host::{Host, Member};
use crate::measure::nanos;
use crate::wire::{self, Requests};

/// How many there are.
const COUNT: usize = 8;
/// Longest wait for an answer. Past this the call has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two calls of one of them: they are people, not a load.
const PACE: Duration = Duration::from_millis(10);

/// Signed in, each with a conversation.
pub(super) struct Bystanders(Vec<Member>);

/// How their calls went.
pub(super) struct Fared {
    /// In nanoseconds.
    pub(super) latency: hdrhistogram::Histogram<u64>,
    pub(super) failed: u64,
}

impl Default for Fared {
    fn default() -> Self {
        Self { latency: nothing(), failed: 0 }
    }
}

impl Fared {
    pub(super) fn calls(&self) -> u64 {
        self.latency.len()
    }

    pub(super) fn add(&mut self, other: Self) -> anyhow::Result<()> {
        self.latency.add(other.latency)?;
        self.failed += other.failed;
        Ok(())
    }
}

impl Bystanders {
    pub(super) async fn join(host: &Host) -> anyhow::Result<Self> {
        Ok(Self(host.members(COUNT).await?))
    }

    /// Sends, reads history, lists conversations and fetches what is pending, for a span of time.
    pub(super) async fn go_about_their_day(&self, host: &Host, span: Duration) -> Fared {
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for member in &self.0 {
            let (address, token, conversation) =
                (host.address.clone(), member.token.clone(), member.conversation);
            tasks.spawn(async move {
                let member = Member { token, conversation };
                let mut fared = Fared::default();
                let mut connection = None;
                let mut turn = 0_usize;
                while began.elapsed() < span {
                    let asked = Instant::now();
                    let call = call(&address, &mut connection, &member, turn);
                    match tokio::time::timeout(PATIENCE, call).await {
                        Ok(Ok(())) => {}
                        _ => {
                            fared.failed += 1;
                            connection = None;
                        }
                    }
                    fared.latency.saturating_record(nanos(asked.elapsed()));
                    turn += 1;
                    tokio::time::sleep(PACE).await;
                }
                fared
            });
        }
        let mut all = Fared::default();
        while let Some(fared) = tasks.join_next().await {
            all.add(fared.expect("a bystander does not panic")).expect("alike");
        }
        all
    }
}

/// One call, on the connection that is there or on a new one.
async fn call(
    address: &str,
    connection: &mut Option<Requests>,
    member: &Member,
    turn: usize,
) -> anyhow::Result<()> {
    let requests = match connection {
        Some(requests) => requests,
        None => connection.insert(wire::connect(address).await?),
    };
    let history = format!("/api/dm/messages/{}?limit=20", member.conversation);
    let path = match turn % 4 {
        0 => return wire::post(requests, member, 256).await,
        1 => history.as_str(),
        2 => "/api/dm/conversations?limit=20",
        _ => "/api/dm/offline?limit=20",
    };
    let (status, _) = wire::get(requests, &member.token, path).await?;
    anyhow::ensure!(status == 200, "{path} answered {status}");
    Ok(())
}
