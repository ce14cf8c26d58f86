//! The most recent of a user's many conversations.

use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use dm_core::Principal;

use crate::measure::{histogram, millis, nanos};
use crate::options::Options;
use crate::people::{self, user};
use crate::report::Report;
use crate::store::Data;

/// The number of conversations per page.
const PAGE: usize = 50;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let folder = options.folder()?;
    let data = Data::new(options.store, folder.path());
    let mut service = data.builder().await?.start()?;
    let pairs = (1..=options.conversations).map(|n| (user(0), user(n)));
    let chats = Arc::new(people::open_pairs(&service, pairs).await?);
    let messages = options.preload.unwrap_or(2 * options.conversations);
    people::preload(&service, &chats, messages, options.payload).await;

    let who = Principal::from(user(0));
    let mut latency = histogram();
    let began = Instant::now();
    while began.elapsed() < options.span() {
        if options.cold {
            service.shutdown(options.span()).await;
            drop(service);
            service = data.reopened().await?.start()?;
        }
        let asked = Instant::now();
        let page = service.conversations(&who, PAGE, None).await?;
        latency.saturating_record(nanos(asked.elapsed()));
        ensure!(page.conversations.len() == PAGE.min(options.conversations), "a short page");
    }
    let mut report = Report::new(format!(
        "list: {:?}{}, {PAGE} most recent of {} conversations",
        options.store,
        if options.cold { " just opened" } else { "" },
        options.conversations
    ));
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
        report.add(name, millis(&latency, quantile), "ms");
    }
    service.shutdown(options.span()).await;
    Ok(report)
}
