//! One device receives all its pending entries.

use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use dm_core::{AckTarget, Delivery, Principal};

use crate::machine;
use crate::options::Options;
use crate::people::{self, user};
use crate::report::Report;
use crate::store;

/// The number of users who wrote to that device.
const SENDERS: usize = 100;
/// The number of entries of one acknowledgement: half a window, so that the next half is in
/// progress meanwhile.
const AT_ONCE: u64 = 128;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let pending = options.preload.unwrap_or(100_000);
    let folder = options.folder()?;
    let service = store::builder(options.store, folder.path()).await?.start()?;
    let recipient = user(0);
    let pairs = (1..=SENDERS).map(|n| (user(n), recipient));
    let chats = Arc::new(people::open_pairs(&service, pairs).await?);
    people::preload(&service, &chats, pending, options.payload).await;

    let before = machine::resident("self")?;
    let mut most = before;
    let began = Instant::now();
    let mut session = service.connect(&Principal::from(recipient)).await?;
    let (mut received, mut acks) = (0, tokio::task::JoinSet::new());
    let mut last = 0;
    while let Ok(delivery) = session.next().await {
        match delivery {
            Delivery::Entry(entry) => {
                ensure!(entry.seq.get() == last + 1, "out of order");
                last = entry.seq.get();
                received += u64::from(entry.message().is_some());
                if last % AT_ONCE == 0 {
                    let handle = session.handle();
                    acks.spawn(async move { handle.acknowledge(AckTarget::UpTo(entry.seq)).await });
                }
                if last % 8_192 == 0 {
                    most = most.max(machine::resident("self")?);
                }
            }
            Delivery::CaughtUp { .. } => break,
            Delivery::Gap(_) => anyhow::bail!("a gap"),
        }
    }
    while let Some(done) = acks.join_next().await {
        done??;
    }
    let took = began.elapsed();
    ensure!(received == pending as u64, "{received} of {pending} arrived");

    let mut report = Report::new(format!(
        "drain: {:?}, {pending} messages of {} bytes pending for one device, an acknowledgement every {AT_ONCE}",
        options.store, options.payload
    ));
    report.add("delivered in order", received as f64 / took.as_secs_f64(), "msg/s");
    report.add("memory grew by", (most - before) as f64 / 1024.0 / 1024.0, "MiB");
    drop(session);
    service.shutdown(options.span()).await;
    Ok(report)
}
