//! From a send to its arrival at a connected recipient.

use std::time::{Duration, Instant};

use dm_core::{AckTarget, Delivery, Principal};
use tokio::sync::mpsc;

use crate::measure::{histogram, millis, nanos};
use crate::options::Options;
use crate::people::{self, user};
use crate::report::Report;
use crate::store;

/// The pause between two sends.
const EVERY: Duration = Duration::from_millis(10);

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let folder = options.folder()?;
    let service = store::builder(options.store, folder.path()).await?.start()?;
    let chats = people::open_pairs(&service, [(user(1), user(0))].into_iter()).await?;

    let mut session = service.connect(&Principal::from(user(0))).await?;
    let (arrived, mut arrivals) = mpsc::channel(64);
    let receiver = tokio::spawn(async move {
        while let Ok(delivery) = session.next().await {
            let now = Instant::now();
            if let Delivery::Entry(entry) = delivery {
                let _ = session.handle().acknowledge(AckTarget::UpTo(entry.seq)).await;
                if entry.message().is_some() && arrived.send(now).await.is_err() {
                    return;
                }
            }
        }
    });

    let (mut answer, mut arrival, mut beyond) = (histogram(), histogram(), histogram());
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let began = Instant::now();
    let mut n = 0;
    while began.elapsed() < options.span() {
        ticks.tick().await;
        let asked = Instant::now();
        people::send(&service, &chats[0], n, options.payload).await;
        let answered = Instant::now();
        let arrived = arrivals.recv().await.expect("it arrives");
        answer.saturating_record(nanos(answered - asked));
        arrival.saturating_record(nanos(arrived - asked));
        beyond.saturating_record(nanos(arrived.saturating_duration_since(answered)));
        n += 1;
    }
    let mut report = Report::new(format!(
        "push: {:?}, {} bytes, one message every {EVERY:?} to a connected recipient",
        options.store, options.payload
    ));
    for (name, latency) in
        [("answered", &answer), ("arrived", &arrival), ("arrived after the answer", &beyond)]
    {
        report.add(format!("{name}, p50"), millis(latency, 0.5), "ms");
        report.add(format!("{name}, p99"), millis(latency, 0.99), "ms");
    }
    receiver.abort();
    service.shutdown(options.span()).await;
    Ok(report)
}
