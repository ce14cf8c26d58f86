//! Sends while entries expire.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dm_core::time::{Clock, SystemClock};
use dm_core::{Config, Timestamp};

use crate::measure::closed_loop;
use crate::options::Options;
use crate::people;
use crate::report::Report;
use crate::store;

/// More than the retention of entries.
const LATER: Duration = Duration::from_secs(31 * 24 * 60 * 60);

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let entries = options.preload.unwrap_or(1_000_000);
    let folder = options.folder()?;
    let clock = Arc::new(AtomicU64::new(0));
    let mut config = Config::default();
    // Expiry runs only when the measurement calls it.
    config.expiry_interval = Duration::from_secs(24 * 60 * 60);
    let service = store::builder(options.store, folder.path())
        .await?
        .clock(Ahead(Arc::clone(&clock)))
        .config(config)
        .start()?;
    let chats = Arc::new(people::open_chats(&service, options.conversations, options.users).await?);
    // Each message makes two entries.
    people::preload(&service, &chats, entries / 2, options.payload).await;

    let payload = options.payload;
    let sends = |span| {
        let (service, chats) = (service.clone(), Arc::clone(&chats));
        closed_loop(options.in_flight, span, move |n| {
            let (service, chats) = (service.clone(), Arc::clone(&chats));
            async move { people::send(&service, &chats[people::pick(n, chats.len())], n, payload).await }
        })
    };
    let without = sends(options.span()).await;
    // All entries stored so far are old enough now; later ones stay.
    clock.store(LATER.as_secs(), Ordering::Relaxed);
    let expiring = service.clone();
    let began = Instant::now();
    let expiry = tokio::spawn(async move {
        let expired = expiring.expire().await.map(|expired| expired.entries);
        (expired, began.elapsed())
    });
    let with = sends(options.span()).await;
    let (expired, took) = expiry.await?;

    let mut report = Report::new(format!(
        "expire: {:?}, {} entries expire during {} in flight",
        options.store, entries, options.in_flight
    ));
    report.add("expired", expired? as f64, "entries");
    report.add("in", took.as_secs_f64(), "s");
    report.add("sends without", without.per_second(), "msg/s");
    report.add("sends with", with.per_second(), "msg/s");
    report.add("p99 without", without.millis(0.99), "ms");
    report.add("p99 with", with.millis(0.99), "ms");
    report.add("p99 with / without", with.millis(0.99) / without.millis(0.99), "x");
    service.shutdown(options.span()).await;
    Ok(report)
}

/// The machine's clock plus a number of seconds. A clock that stands still would give all ids the
/// same time, so that each id goes to a page of its own, and sends take more than twice as long.
struct Ahead(Arc<AtomicU64>);

#[async_trait]
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().after(Duration::from_secs(self.0.load(Ordering::Relaxed)))
    }

    async fn sleep(&self, span: Duration) {
        SystemClock.sleep(span).await;
    }
}
