//! People who have nothing to do with the attack.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::task::JoinSet;

use super::fared::{Answer, Fared, Way};
use crate::host::{Host, Member};
use crate::wire::{self, Requests};

/// How many there are.
pub(super) const COUNT: usize = 8;
/// The address that they connect from.
const ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Longest wait for an answer. Past this the call has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Between two calls of one of them: they are people, not a load.
const PACE: Duration = Duration::from_millis(10);
/// Messages acknowledged at a time.
const ACKNOWLEDGED: usize = 2;
/// Calls after which one of them connects anew.
const CALLS_PER_CONNECTION: usize = 50;
/// The first number of people who sign in while it goes on.
const NEWCOMERS: usize = 10_000;

/// Signed in, each with a conversation.
pub(super) struct Bystanders {
    members: Vec<Member>,
    newcomers: AtomicUsize,
}

/// One of them.
struct Person {
    address: String,
    member: Member,
    patience: Duration,
    connection: Option<Requests>,
    /// Ids of the first messages that the last fetch brought.
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

    /// Has each be sent so many messages, which they have to acknowledge.
    pub(super) async fn write_to_each(&self, host: &Host, count: usize) -> anyhow::Result<()> {
        for member in &self.members {
            wire::send_many(&host.address, member, count, 256).await?;
        }
        Ok(())
    }

    /// Sends, reads history, lists conversations, fetches what is pending and acknowledges it, for
    /// a span of time. Meanwhile two newcomers sign in and open conversations with each other.
    pub(super) async fn go_about_their_day(&self, host: &Host, span: Duration) -> Fared {
        let first = self.newcomers.fetch_add(2, Ordering::Relaxed);
        let (joined, mut fared) = tokio::join!(join(host, first), self.call_for(host, span, PATIENCE));
        fared.count_untimed(Way::Writes, joined);
        fared
    }

    /// The same without newcomers, with so much patience.
    pub(super) async fn call_for(&self, host: &Host, span: Duration, patience: Duration) -> Fared {
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
                let mut fared = Fared::default();
                while began.elapsed() < span {
                    person.call(&mut fared).await;
                    tokio::time::sleep(PACE).await;
                }
                fared
            });
        }
        let mut all = Fared::default();
        for fared in tasks.join_all().await {
            all.add(&fared).expect("histograms of one shape");
        }
        all
    }
}

impl Person {
    /// One call, which is counted.
    async fn call(&mut self, fared: &mut Fared) {
        let (path, way) = self.next();
        let asked = Instant::now();
        let answer = match tokio::time::timeout(self.patience, self.ask(&path)).await {
            Ok(Ok(200 | 201)) => Answer::Served,
            Ok(Ok(503)) => Answer::Refused,
            _ => Answer::Failed,
        };
        fared.count(way, answer, asked.elapsed());
        self.turn += 1;
        if answer == Answer::Failed || self.turn.is_multiple_of(CALLS_PER_CONNECTION) {
            self.connection = None;
        }
    }

    /// The next call, and its way.
    fn next(&self) -> (String, Way) {
        match self.turn % 5 {
            0 => ("messages".into(), Way::Writes),
            1 => (format!("messages/{}?limit=20", self.member.conversation), Way::Reads),
            2 => ("conversations?limit=20".into(), Way::Reads),
            3 => ("offline?limit=20".into(), Way::Reads),
            _ => ("offline/ack".into(), Way::Writes),
        }
    }

    /// Asks on the connection that is there or on a new one. Returns the status.
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

/// Two people who come for the first time.
async fn join(host: &Host, first: usize) -> Answer {
    match tokio::time::timeout(PATIENCE, host.members_from(first, 2)).await {
        Ok(Ok(_)) => Answer::Served,
        _ => Answer::Failed,
    }
}
