//! The reference host over loopback, with the load on the same two cores: REST, WebSocket frames, a
//! backlog over a WebSocket, and waiting connections.

use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use dm_proto::dm_server_frame::Frame;
use futures_util::SinkExt as _;
use tokio_tungstenite::tungstenite::Message;

use super::load::{self, Load, Sender};
use crate::host::{Host, Member};
use crate::options::Options;
use crate::report::{Report, progress};
use crate::subject::Subject;
use crate::wire::{ACK_EVERY, ack, hello, next_frame, send, waiting};

/// The number of WebSockets that send. Each has an equal share of the sends in flight.
const SOCKETS: usize = 16;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new(format!(
        "http: chat-host on {:?}, {} in flight, {} bytes, load from the same machine",
        options.store, options.in_flight, options.payload
    ));
    let host = Host::start(options).await?;
    let members = Arc::new(host.members(options.in_flight.max(SOCKETS)).await?);
    let load = Load { address: &host.address, payload: options.payload, span: options.span(), once: false };
    let senders: Vec<Sender> = members.iter().map(Sender::from).collect();
    let few = &senders[..SOCKETS];
    for (what, measured) in [
        ("POST /api/dm/messages", load::rest(load, &senders[..options.in_flight]).await?),
        ("sends over WebSocket", load::web_sockets(load, few, options.in_flight.div_ceil(SOCKETS)).await?),
    ] {
        report.add(what, measured.per_second(), "msg/s");
        report.add(format!("{what}, p50"), measured.millis(0.5), "ms");
        report.add(format!("{what}, p99"), measured.millis(0.99), "ms");
    }
    alone(&host, load, &senders[..1], options, &mut report).await?;
    report.add("backlog over WebSocket", drain(&host, &members, options).await?, "msg/s");
    report.add("waiting WebSocket", idle(&host, &members).await?, "bytes each, in the host");
    host.stop().await?;
    Ok(report)
}

/// One send at a time: through the host, through the service in this process, and as a single
/// commit of the bare engine.
async fn alone(
    host: &Host,
    load: Load<'_>,
    sender: &[Sender],
    options: &Options,
    report: &mut Report,
) -> anyhow::Result<()> {
    let load = Load { address: &host.address, ..load };
    report.add("one POST at a time, p50", load::rest(load, sender).await?.millis(0.5), "ms");
    report.add("one frame at a time, p50", load::web_sockets(load, sender, 1).await?.millis(0.5), "ms");
    let single = Options { in_flight: 1, ..options.clone() };
    for (what, kind) in [("in process", Some(options.store)), ("as a bare commit", options.store.engine())] {
        let Some(kind) = kind else { continue };
        let folder = options.folder()?;
        let subject = Subject::open(kind, folder.path(), &single).await?;
        report.add(format!("one {what}, p50"), subject.send(&single, single.span()).await.millis(0.5), "ms");
        subject.close().await;
    }
    Ok(())
}

/// Receives the pending entries of a device over a WebSocket, in messages per second.
async fn drain(host: &Host, members: &Arc<Vec<Member>>, options: &Options) -> anyhow::Result<f64> {
    let pending = options.preload.unwrap_or(100_000);
    let bar = progress(pending, "messages stored");
    let mut socket = hello(&host.address, &members[0], "writer").await?;
    let conversation = members[0].conversation.to_string();
    let (mut asked, mut answered) = (0, 0);
    while answered < pending {
        while asked < pending && asked - answered < 32 {
            asked += 1;
            socket.feed(Message::Binary(send(asked as u64, &conversation, options.payload))).await?;
        }
        socket.flush().await?;
        if let Frame::Sent(_) = next_frame(&mut socket).await?.1 {
            answered += 1;
            bar.set_position(answered as u64);
        }
    }
    bar.finish_and_clear();

    let mut socket = hello(&host.address, &members[1], "reader").await?;
    let (mut messages, began) = (0, Instant::now());
    loop {
        match next_frame(&mut socket).await?.1 {
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

/// The memory of a waiting connection in the host, in bytes.
async fn idle(host: &Host, members: &Arc<Vec<Member>>) -> anyhow::Result<f64> {
    const DEVICES: [&str; 5] = ["0", "1", "2", "3", "4"];
    let (mut before, mut sockets) = (0, Vec::new());
    for device in DEVICES {
        for member in members.iter() {
            sockets.push(waiting(&host.address, member, device).await?);
        }
        // The first round is not counted, because the host's tables and buffers grow to their size
        // in it.
        if device == DEVICES[0] {
            before = host.resident()?;
        }
    }
    let counted = members.len() * (DEVICES.len() - 1);
    Ok(host.resident()?.saturating_sub(before) as f64 / counted as f64)
}
