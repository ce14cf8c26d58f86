//! Users who have nothing to do with the attack.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::task::JoinSet;

use super::call_stats::{Answer, CallKind, CallStats};
use crate::host::{Host, Member};
use crate::wire::{self, Requests};

/// The number of bystanders.
pub(super) const COUNT: usize = 8;
/// The address that they connect from.
const ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// The time limit of a call. A call without an answer until then has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// The pause between two calls of a bystander, who is a user and no load.
const PACE: Duration = Duration::from_millis(10);
/// The number of messages of one acknowledgement.
const ACKNOWLEDGED: usize = 2;
/// The number of calls after which a bystander connects anew.
const CALLS_PER_CONNECTION: usize = 50;
/// The number of the first user who signs in during the measurement.
const NEWCOMERS: usize = 10_000;

/// The bystanders, signed in, each with a conversation.
pub(super) struct Bystanders {
    members: Vec<Member>,
    newcomers: AtomicUsize,
}

/// One bystander.
struct Person {
    address: String,
    member: Member,
    patience: Duration,
    connection: Option<Requests>,
    /// The ids of the first messages of the last fetch.
    fetched: Vec<String>,
    turn: usize,
}

#[derive(Deserialize)]
struct Pending {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    id: String,
}

impl Bystanders {
    pub(super) async fn join(host: &Host) -> anyhow::Result<Self> {
        Ok(Self { members: host.members(COUNT).await?, newcomers: AtomicUsize::new(NEWCOMERS) })
    }

    /// Sends so many messages to each, which they have to acknowledge.
    pub(super) async fn write_to_each(&self, host: &Host, count: usize) -> anyhow::Result<()> {
        for member in &self.members {
            wire::send_many(&host.address, member, count, 256).await?;
        }
        Ok(())
    }

    /// Makes calls for a span of time: sends, history, the list of conversations, and fetching and
    /// acknowledging pending messages. Meanwhile two newcomers sign in and open a conversation with
    /// each other.
    pub(super) async fn make_calls(&self, host: &Host, span: Duration) -> CallStats {
        let first = self.newcomers.fetch_add(2, Ordering::Relaxed);
        let (joined, mut stats) = tokio::join!(join(host, first), self.call_for(host, span, PATIENCE));
        stats.count_untimed(CallKind::Writes, joined);
        stats
    }

    /// The same without newcomers, and with another time limit of a call.
    pub(super) async fn call_for(&self, host: &Host, span: Duration, patience: Duration) -> CallStats {
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for member in &self.members {
            let mut person = Person {
                address: host.address.clone(),
                member: member.clone(),
                patience,
                connection: None,
                fetched: Vec::new(),
                turn: 0,
            };
            tasks.spawn(async move {
                let mut stats = CallStats::default();
                while began.elapsed() < span {
                    person.call(&mut stats).await;
                    tokio::time::sleep(PACE).await;
                }
                stats
            });
        }
        let mut all = CallStats::default();
        for stats in tasks.join_all().await {
            all.add(&stats).expect("histograms of one shape");
        }
        all
    }
}

impl Person {
    /// Makes one call and counts it.
    async fn call(&mut self, stats: &mut CallStats) {
        let (path, kind) = self.next();
        let asked = Instant::now();
        let answer = match tokio::time::timeout(self.patience, self.ask(&path)).await {
            Ok(Ok(200 | 201)) => Answer::Served,
            Ok(Ok(503)) => Answer::Refused,
            _ => Answer::Failed,
        };
        stats.count(kind, answer, asked.elapsed());
        self.turn += 1;
        if answer == Answer::Failed || self.turn.is_multiple_of(CALLS_PER_CONNECTION) {
            self.connection = None;
        }
    }

    /// The path of the next call, and whether it writes.
    fn next(&self) -> (String, CallKind) {
        match self.turn % 5 {
            0 => ("messages".into(), CallKind::Writes),
            1 => (format!("messages/{}?limit=20", self.member.conversation), CallKind::Reads),
            2 => ("conversations?limit=20".into(), CallKind::Reads),
            3 => ("offline?limit=20".into(), CallKind::Reads),
            _ => ("offline/ack".into(), CallKind::Writes),
        }
    }

    /// Makes a call on the open connection or on a new one. Returns the status.
    async fn ask(&mut self, path: &str) -> anyhow::Result<u16> {
        let token = &self.member.token;
        let at = format!("/api/dm/{path}");
        let request = match path {
            "messages" => wire::message(&self.member, 256)?,
            "offline/ack" => {
                let ids = serde_json::json!({ "message_ids": std::mem::take(&mut self.fetched) });
                wire::json(&at, token, ids.to_string())?
            }
            _ => wire::request("GET", &at, token).body(Default::default())?,
        };
        let requests = match &mut self.connection {
            Some(requests) => requests,
            none => none.insert(wire::requests(wire::dial(&self.address, ADDRESS).await?).await?),
        };
        let (status, body) = wire::ask(requests, request).await?;
        if status == 200 && path.starts_with("offline?") {
            let pending: Pending = serde_json::from_slice(&body)?;
            let first = pending.messages.into_iter().take(ACKNOWLEDGED);
            self.fetched = first.map(|message| message.id).collect();
        }
        Ok(status)
    }
}

/// Signs two new users in.
async fn join(host: &Host, first: usize) -> Answer {
    match tokio::time::timeout(PATIENCE, host.members_from(first, 2)).await {
        Ok(Ok(_)) => Answer::Served,
        _ => Answer::Failed,
    }
}
