//! Sends over loopback, by REST and by WebSockets.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use dm_client::ConversationId;
use dm_proto::dm_server_frame::Frame;
use futures_util::SinkExt as _;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::host::Member;
use crate::measure::{Measured, histogram, nanos};
use crate::wire::{self, ACK_EVERY, ack, hello, next_frame, post, send};

/// A user who sends to their conversations in order.
#[derive(Clone)]
pub(super) struct Sender {
    pub(super) token: String,
    pub(super) conversations: Vec<ConversationId>,
}

/// The messages to send, and the duration.
#[derive(Clone, Copy)]
pub(super) struct Load<'a> {
    pub(super) address: &'a str,
    pub(super) payload: usize,
    pub(super) span: Duration,
    /// Whether each conversation gets one message at most.
    pub(super) once: bool,
}

impl From<&Member> for Sender {
    fn from(member: &Member) -> Self {
        Self { token: member.token.clone(), conversations: vec![member.conversation] }
    }
}

impl Sender {
    /// The same sender with the first conversation only.
    pub(super) fn with_one(&self) -> Self {
        Self {
            token: self.token.clone(),
            conversations: self.conversations.iter().take(1).copied().collect(),
        }
    }

    /// The sender with the conversation that the *n*-th message goes to.
    fn nth(&self, n: usize) -> Member {
        let conversation = self.conversations[n % self.conversations.len()];
        Member { token: self.token.clone(), conversation }
    }
}

/// Sends by REST: each sender has a connection and makes one request at a time.
pub(super) async fn rest(load: Load<'_>, senders: &[Sender]) -> anyhow::Result<Measured> {
    let Load { payload, span, once, .. } = load;
    let mut connections = Vec::new();
    for sender in senders {
        connections.push((sender.clone(), wire::connect(load.address).await?));
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (sender, mut requests) in connections {
        tasks.spawn(async move {
            let mut latency = histogram();
            for n in 0..calls(&sender, once) {
                if began.elapsed() >= span {
                    break;
                }
                let asked = Instant::now();
                post(&mut requests, &sender.nth(n), payload).await?;
                latency.saturating_record(nanos(asked.elapsed()));
            }
            anyhow::Ok(latency)
        });
    }
    gather(tasks, began).await
}

/// Sends by WebSockets: each sender has one, with so many sends in flight.
pub(super) async fn web_sockets(
    load: Load<'_>,
    senders: &[Sender],
    share: usize,
) -> anyhow::Result<Measured> {
    let Load { payload, span, once, .. } = load;
    let mut sockets = Vec::new();
    for sender in senders {
        let socket = hello(load.address, &sender.nth(0), "sender").await?;
        sockets.push((socket, sender.clone()));
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (mut socket, sender) in sockets {
        tasks.spawn(async move {
            let mut latency = histogram();
            let mut under_way = HashMap::new();
            let mut n = 0;
            loop {
                let over = began.elapsed() >= span || n >= calls(&sender, once);
                if over && under_way.is_empty() {
                    return anyhow::Ok(latency);
                }
                let mut wrote = false;
                while under_way.len() < share && !over && n < calls(&sender, once) {
                    let conversation = sender.nth(n).conversation.to_string();
                    n += 1;
                    socket.feed(Message::Binary(send(n as u64, &conversation, payload))).await?;
                    under_way.insert(n.to_string(), Instant::now());
                    wrote = true;
                }
                if wrote {
                    socket.flush().await?;
                }
                let (id, frame) = next_frame(&mut socket).await?;
                match frame {
                    Frame::Sent(_) => {
                        let asked = under_way.remove(&id).context("nothing was asked under this id")?;
                        latency.saturating_record(nanos(asked.elapsed()));
                    }
                    Frame::Problem(problem) => anyhow::bail!("{}", problem.detail),
                    // Messages from others are acknowledged, because otherwise the window would
                    // fill up.
                    Frame::Delivery(delivery) if delivery.position % ACK_EVERY == 0 => {
                        socket.send(Message::Binary(ack(delivery.position))).await?;
                    }
                    _ => {}
                }
            }
        });
    }
    gather(tasks, began).await
}

/// The most messages of a sender.
fn calls(sender: &Sender, once: bool) -> usize {
    if once { sender.conversations.len() } else { usize::MAX }
}

async fn gather(
    mut tasks: JoinSet<anyhow::Result<hdrhistogram::Histogram<u64>>>,
    began: Instant,
) -> anyhow::Result<Measured> {
    let mut latency = histogram();
    while let Some(part) = tasks.join_next().await {
        latency.add(part??)?;
    }
    let took: Duration = began.elapsed();
    Ok(Measured { calls: latency.len(), took, latency })
}
