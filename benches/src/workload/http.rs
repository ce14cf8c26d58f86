//! The reference host over loopback, the load coming from the same two cores: REST, WebSocket frames, a backlog over a
//! WebSocket, and connections that wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use dm_proto::prost::Message as _;
use dm_proto::{
    DmAck, DmHello, DmSend, DmServerFrame, Envelope, dm_client_frame, dm_server_frame::Frame,
    envelope::Payload,
};
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::host::{Host, Member};
use crate::measure::{Measured, histogram, nanos};
use crate::options::Options;
use crate::people::uuid_v7;
use crate::report::{Report, progress};

/// WebSockets that send; each has its share of what is in flight.
const SOCKETS: usize = 16;
/// Entries acknowledged at a time.
const ACK_EVERY: u64 = 128;

type Socket = WebSocketStream<TcpStream>;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new(format!(
        "http: chat-host on {:?}, {} in flight, {} bytes, load from the same machine",
        options.store, options.in_flight, options.payload
    ));
    let host = Host::start(options).await?;
    let members = Arc::new(host.members(options.in_flight.max(SOCKETS)).await?);
    for (what, measured) in [
        ("POST /api/dm/messages", rest(&host, &members, options).await?),
        ("sends over WebSocket", sends(&host, &members, options).await?),
    ] {
        report.add(what, measured.per_second(), "msg/s");
        report.add(format!("{what}, p50"), measured.millis(0.5), "ms");
        report.add(format!("{what}, p99"), measured.millis(0.99), "ms");
    }
    report.add("backlog over WebSocket", drain(&host, &members, options).await?, "msg/s");
    report.add("waiting WebSocket", idle(&host, &members).await?, "bytes each, in the host");
    host.stop().await?;
    Ok(report)
}

/// One connection per call in flight.
async fn rest(host: &Host, members: &Arc<Vec<Member>>, options: &Options) -> anyhow::Result<Measured> {
    let (span, payload) = (options.span(), options.payload);
    let mut connections = Vec::new();
    for n in 0..options.in_flight {
        let stream = TcpStream::connect(&host.address).await?;
        stream.set_nodelay(true)?;
        let (requests, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        connections.push((n, requests));
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (n, mut requests) in connections {
        let members = Arc::clone(members);
        tasks.spawn(async move {
            let mut latency = histogram();
            while began.elapsed() < span {
                let asked = Instant::now();
                post(&mut requests, &members[n], payload).await?;
                latency.saturating_record(nanos(asked.elapsed()));
            }
            anyhow::Ok(latency)
        });
    }
    gather(tasks, began).await
}

async fn post(
    requests: &mut SendRequest<Full<Bytes>>,
    member: &Member,
    payload: usize,
) -> anyhow::Result<()> {
    let body = format!(
        r#"{{"conversation_id":"{}","encrypted_payload":"{}","nonce":"{}","timestamp":1,"client_message_id":"{}"}}"#,
        member.conversation,
        data_encoding::BASE64.encode(&vec![7; payload]),
        data_encoding::BASE64.encode(&[7; 24]),
        uuid_v7()
    );
    let request = hyper::Request::post("/api/dm/messages")
        .header("host", "localhost")
        .header("authorization", format!("Bearer {}", member.token))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))?;
    let answer = requests.send_request(request).await?;
    ensure!(answer.status() == 201, "{}", answer.status());
    answer.into_body().collect().await?;
    Ok(())
}

/// A few connections, each with many sends under way.
async fn sends(host: &Host, members: &Arc<Vec<Member>>, options: &Options) -> anyhow::Result<Measured> {
    let share = options.in_flight.div_ceil(SOCKETS);
    let (span, payload) = (options.span(), options.payload);
    let mut sockets = Vec::new();
    for member in members.iter().take(SOCKETS) {
        sockets.push((hello(host, member, "sender").await?, member.conversation.to_string()));
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (mut socket, conversation) in sockets {
        tasks.spawn(async move {
            let mut latency = histogram();
            let mut under_way = std::collections::HashMap::new();
            let mut n = 0_u64;
            loop {
                let over = began.elapsed() >= span;
                if over && under_way.is_empty() {
                    return anyhow::Ok(latency);
                }
                let mut wrote = false;
                while !over && under_way.len() < share {
                    n += 1;
                    socket.feed(Message::Binary(send(n, &conversation, payload))).await?;
                    under_way.insert(n.to_string(), Instant::now());
                    wrote = true;
                }
                if wrote {
                    socket.flush().await?;
                }
                let (id, frame) = hear(&mut socket).await?;
                match frame {
                    Frame::Sent(_) => {
                        let asked = under_way.remove(&id).context("nothing was asked under this id")?;
                        latency.saturating_record(nanos(asked.elapsed()));
                    }
                    Frame::Problem(problem) => anyhow::bail!("{}", problem.detail),
                    // What others sent to this member; acknowledged, so that it goes on.
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

/// What is pending for one device over a WebSocket, in messages per second.
async fn drain(host: &Host, members: &Arc<Vec<Member>>, options: &Options) -> anyhow::Result<f64> {
    let pending = options.preload.unwrap_or(100_000);
    let bar = progress(pending, "messages stored");
    let mut socket = hello(host, &members[0], "writer").await?;
    let conversation = members[0].conversation.to_string();
    let (mut asked, mut answered) = (0, 0);
    while answered < pending {
        while asked < pending && asked - answered < 32 {
            asked += 1;
            socket.feed(Message::Binary(send(asked as u64, &conversation, options.payload))).await?;
        }
        socket.flush().await?;
        if let Frame::Sent(_) = hear(&mut socket).await?.1 {
            answered += 1;
            bar.set_position(answered as u64);
        }
    }
    bar.finish_and_clear();

    let mut socket = hello(host, &members[1], "reader").await?;
    let (mut messages, began) = (0, Instant::now());
    loop {
        match hear(&mut socket).await?.1 {
            Frame::Delivery(delivery) => {
                messages += 1;
                if delivery.position % ACK_EVERY == 0 {
                    socket.send(Message::Binary(ack(delivery.position))).await?;
                }
            }
            Frame::CaughtUp(_) => break,
            _ => {}
        }
    }
    ensure!(messages >= pending, "{messages} of {pending} arrived");
    Ok(f64::from(u32::try_from(messages)?) / began.elapsed().as_secs_f64())
}

/// What a waiting connection costs the host, in bytes.
async fn idle(host: &Host, members: &Arc<Vec<Member>>) -> anyhow::Result<f64> {
    const DEVICES: [&str; 5] = ["0", "1", "2", "3", "4"];
    let (mut before, mut sockets) = (0, Vec::new());
    for device in DEVICES {
        for member in members.iter() {
            sockets.push(waiting(host, member, device).await?);
        }
        // The first round is not counted: with it the host's own tables and buffers have grown to their size.
        if device == DEVICES[0] {
            before = host.resident()?;
        }
    }
    let counted = members.len() * (DEVICES.len() - 1);
    Ok(host.resident()?.saturating_sub(before) as f64 / counted as f64)
}

/// A connection that has caught up and acknowledged.
async fn waiting(host: &Host, member: &Member, device: &str) -> anyhow::Result<Socket> {
    let mut socket = hello(host, member, device).await?;
    loop {
        match hear(&mut socket).await?.1 {
            Frame::Delivery(delivery) if delivery.position % ACK_EVERY == 0 => {
                socket.send(Message::Binary(ack(delivery.position))).await?;
            }
            Frame::CaughtUp(caught_up) => {
                if caught_up.position > 0 {
                    socket.send(Message::Binary(ack(caught_up.position))).await?;
                }
                return Ok(socket);
            }
            _ => {}
        }
    }
}

async fn hello(host: &Host, member: &Member, device: &str) -> anyhow::Result<Socket> {
    let mut request = format!("ws://{}/api/dm/ws", host.address).into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {}", member.token).parse()?);
    let stream = TcpStream::connect(&host.address).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    // What waits for a new device is not what is measured, except where it is.
    let start_now = device != "reader";
    let hello = DmHello { device: device.to_owned(), protocol: 1, start_now, ..DmHello::default() };
    let envelope = Envelope::client("hello", dm_client_frame::Frame::Hello(hello));
    socket.send(Message::Binary(envelope.encode_to_vec().into())).await?;
    match hear(&mut socket).await?.1 {
        Frame::Welcome(_) => Ok(socket),
        other => anyhow::bail!("no welcome but {other:?}"),
    }
}

fn send(n: u64, conversation: &str, payload: usize) -> Bytes {
    let send = DmSend {
        conversation_id: conversation.to_owned(),
        encrypted_payload: vec![7; payload].into(),
        nonce: vec![7; 24].into(),
        timestamp: n,
        client_message_id: uuid_v7().to_string(),
        ..DmSend::default()
    };
    Envelope::client(n.to_string(), dm_client_frame::Frame::Send(send)).encode_to_vec().into()
}

fn ack(position: u64) -> Bytes {
    let ack = DmAck { up_to: position, message_ids: Vec::new() };
    Envelope::client("", dm_client_frame::Frame::Ack(ack)).encode_to_vec().into()
}

async fn hear(socket: &mut Socket) -> anyhow::Result<(String, Frame)> {
    loop {
        match socket.next().await.context("the host closed")?? {
            Message::Binary(frame) => {
                let envelope = Envelope::decode(frame)?;
                if let Some(Payload::DmServerFrame(DmServerFrame { frame: Some(frame) })) = envelope.payload {
                    return Ok((envelope.request_id, frame));
                }
            }
            Message::Close(why) => anyhow::bail!("the host closed: {why:?}"),
            _ => {}
        }
    }
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
