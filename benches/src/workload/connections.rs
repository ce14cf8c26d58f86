//! Waiting WebSockets at the reference host with its defaults: their memory, and the processor time
//! for pings.

use std::time::{Duration, Instant};

use anyhow::ensure;
use futures_util::StreamExt as _;
use tokio::task::JoinSet;

use crate::host::{Host, Member};
use crate::options::Options;
use crate::report::{Report, progress};
use crate::wire::waiting;

/// The number of devices of a user, which is the limit.
const DEVICES: usize = 8;
/// The first connections are not counted, because the host's tables and buffers grow to their size
/// with them.
const FIRST: usize = 1_000;
/// The default ping interval. Every connection is pinged once in it.
const INTERVAL: Duration = Duration::from_secs(30);

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let count = options.preload.unwrap_or(10_000);
    let mut report = Report::new(format!("connections: chat-host on {:?}, {count} that wait", options.store));
    let host = Host::start(options).await?;
    let people = (FIRST + count).div_ceil(DEVICES);
    ensure!(people > 1, "too few connections");
    let members = host.members(people).await?;
    let mut clients = JoinSet::new();
    let bar = progress(FIRST + count, "connections");
    let mut before = 0;
    for n in 0..FIRST + count {
        if n == FIRST {
            before = host.resident()?;
        }
        connect(&host, &members[n / DEVICES], n % DEVICES, &mut clients).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let grown = host.resident()?.saturating_sub(before);
    report.add("memory in the host", grown as f64 / count as f64, "bytes each");

    // The measurement takes whole intervals. In each, all connections are pinged and answer.
    let span = options.span().max(INTERVAL);
    let (worked, began) = (host.processor_time()?, Instant::now());
    tokio::time::sleep(span).await;
    let worked = (host.processor_time()? - worked).as_secs_f64();
    report.add("processor time in the host", 100.0 * worked / began.elapsed().as_secs_f64(), "% of a core");
    report.add(
        "memory after that",
        host.resident()?.saturating_sub(before) as f64 / count as f64,
        "bytes each",
    );
    ensure!(clients.len() == FIRST + count, "connections have ended");
    host.stop().await?;
    Ok(report)
}

/// Connects and answers pings.
async fn connect(
    host: &Host,
    member: &Member,
    device: usize,
    clients: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let mut socket = waiting(&host.address, member, &device.to_string()).await?;
    clients.spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
    Ok(())
}
