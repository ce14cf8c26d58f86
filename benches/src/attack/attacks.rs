//! The attacks.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use dm_proto::prost::Message as _;
use dm_proto::{DmHistoryRequest, Envelope, envelope::Payload};
use futures_util::SinkExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::host::{Host, Member};
use crate::wire;

/// An attack, and the bound that must hold meanwhile.
pub(super) struct Attack {
    pub(super) name: &'static str,
    /// The bound of memory or work, as the documentation promises it.
    pub(super) bound: &'static str,
    /// File descriptors that the host gets, where that matters.
    pub(super) descriptors: Option<u32>,
    /// Messages of 32 KiB that wait for the attacker, and small ones that the attacker has sent.
    received: usize,
    sent: usize,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    UnreadSockets,
    UnreadAnswers,
    MadeUpMethods,
    IdleConnections,
    OwnSends,
    Challenges,
}

/// In the order of their weight.
pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "history asked, sockets unread",
        bound: "32 requests per socket, 1 MiB to write per socket, 32 sockets per user",
        descriptors: None,
        received: 40,
        sent: 0,
        kind: Kind::UnreadSockets,
    },
    Attack {
        name: "100 answers of 8 MiB, unread",
        bound: "the budget of answer bytes, per user and per process",
        descriptors: None,
        received: 256,
        sent: 0,
        kind: Kind::UnreadAnswers,
    },
    Attack {
        name: "made-up methods, no token",
        bound: "a fixed set of labels",
        descriptors: None,
        received: 0,
        sent: 0,
        kind: Kind::MadeUpMethods,
    },
    Attack {
        name: "300 idle connections of 256",
        bound: "16 KiB per connection whose headers are not complete",
        descriptors: Some(256),
        received: 0,
        sent: 0,
        kind: Kind::IdleConnections,
    },
    Attack {
        name: "20,000 own sends, fetched again",
        bound: "one call looks at a bounded number of rows",
        descriptors: None,
        received: 0,
        sent: 20_000,
        kind: Kind::OwnSends,
    },
    Attack {
        name: "challenges without end",
        bound: "a bounded number per address and key",
        descriptors: None,
        received: 0,
        sent: 0,
        kind: Kind::Challenges,
    },
];

/// Two people who are signed in: the first does the harm, the second has written to them.
pub(super) struct Attackers {
    members: Arc<Vec<Member>>,
}

impl Attackers {
    /// Signs them in, and has them write what the attack needs.
    pub(super) async fn join(host: &Host, attack: &Attack) -> anyhow::Result<Self> {
        // Further people than the bystanders, who have the first places.
        let members = host.members_from(1_000, 2).await?;
        fill(host, &members[1], attack.received, 32 * 1024).await?;
        fill(host, &members[0], attack.sent, 64).await?;
        Ok(Self { members: Arc::new(members) })
    }

    /// Begins, and goes on until the answer is dropped.
    pub(super) fn begin(&self, host: &Host, attack: &Attack) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let count = match attack.kind {
            Kind::UnreadSockets => 24,
            Kind::UnreadAnswers => 100,
            Kind::MadeUpMethods | Kind::OwnSends | Kind::Challenges => 4,
            Kind::IdleConnections => 300,
        };
        for n in 0..count {
            let (address, members, kind) = (host.address.clone(), Arc::clone(&self.members), attack.kind);
            tasks.spawn(async move {
                loop {
                    // The host may refuse, close and say no: that is its right, and no failure.
                    let _refused = harm(kind, n, &address, &members[0]).await;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            });
        }
        tasks
    }

    /// Whether they are served again, once they behave.
    pub(super) async fn are_served(&self, host: &Host) -> bool {
        let served = async {
            let mut requests = wire::connect(&host.address).await?;
            let (status, _) =
                wire::get(&mut requests, &self.members[0].token, "/api/dm/conversations").await?;
            anyhow::ensure!(status == 200, "{status}");
            wire::post(&mut requests, &self.members[0], 64).await
        };
        matches!(tokio::time::timeout(Duration::from_secs(30), served).await, Ok(Ok(())))
    }
}

/// Has somebody send so many messages over a WebSocket.
async fn fill(host: &Host, member: &Member, count: usize, payload: usize) -> anyhow::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let mut socket = wire::hello(&host.address, member, "writer").await?;
    let conversation = member.conversation.to_string();
    let (mut asked, mut answered) = (0, 0);
    while answered < count {
        while asked < count && asked - answered < 32 {
            asked += 1;
            socket.feed(Message::Binary(wire::send(asked as u64, &conversation, payload))).await?;
        }
        socket.flush().await?;
        if let dm_proto::dm_server_frame::Frame::Sent(_) = wire::hear(&mut socket).await?.1 {
            answered += 1;
        }
    }
    Ok(())
}

/// One round of harm on one connection.
async fn harm(kind: Kind, n: usize, address: &str, attacker: &Member) -> anyhow::Result<()> {
    match kind {
        Kind::UnreadSockets => {
            let mut socket = wire::hello(address, attacker, &format!("d{}", n % 8)).await?;
            for request in 0..32 {
                let history = DmHistoryRequest {
                    conversation_id: attacker.conversation.to_string(),
                    before_sequence: u64::MAX,
                    limit: 100,
                };
                let envelope = Envelope {
                    request_id: request.to_string(),
                    payload: Some(Payload::DmHistoryRequest(history)),
                };
                socket.feed(Message::Binary(envelope.encode_to_vec().into())).await?;
            }
            socket.flush().await?;
            // In waves: it is not read, and given up before the host does.
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            Ok(())
        }
        Kind::UnreadAnswers => {
            let request = format!(
                "GET /api/dm/offline HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
                attacker.token
            );
            let mut stream = unread(address, request.as_bytes()).await?;
            tokio::time::sleep(Duration::from_secs(2)).await;
            let _closed = stream.shutdown().await;
            Ok(())
        }
        Kind::MadeUpMethods => {
            let mut stream = TcpStream::connect(address).await?;
            let mut answer = vec![0; 4096];
            for method in 0..250_usize {
                let request =
                    format!("X{}{} /api/dm/{method} HTTP/1.1\r\nhost: localhost\r\n\r\n", n, letters(method));
                stream.write_all(request.as_bytes()).await?;
                anyhow::ensure!(stream.read(&mut answer).await? > 0, "closed");
            }
            Ok(())
        }
        Kind::IdleConnections => {
            let _stream = unread(address, b"GET /api/info HTTP/1.1\r\nx-padding: ").await?;
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        }
        Kind::OwnSends => {
            let mut requests = wire::connect(address).await?;
            for _ in 0..50 {
                wire::get(&mut requests, &attacker.token, "/api/dm/offline").await?;
            }
            Ok(())
        }
        Kind::Challenges => {
            let mut stream = TcpStream::connect(address).await?;
            let mut answer = vec![0; 4096];
            let body = format!(r#"{{"public_key":"{}"}}"#, crate::host::key(2_000 + n));
            let request = format!(
                "POST /api/auth/challenge HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            );
            for _ in 0..250 {
                stream.write_all(request.as_bytes()).await?;
                anyhow::ensure!(stream.read(&mut answer).await? > 0, "closed");
            }
            Ok(())
        }
    }
}

/// A number as capital letters, for the name of a method.
fn letters(mut number: usize) -> String {
    let mut name = String::new();
    loop {
        name.push(char::from(b'A' + (number % 26) as u8));
        number /= 26;
        if number == 0 {
            return name;
        }
    }
}

/// Sends something on a socket with a small receive buffer, and reads nothing.
async fn unread(address: &str, request: &[u8]) -> anyhow::Result<TcpStream> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4 * 1024)?;
    let mut stream = socket.connect(address.parse().context("an address")?).await?;
    stream.write_all(request).await?;
    Ok(stream)
}
