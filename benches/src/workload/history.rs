//! Pages of a long conversation.

use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use dm_core::{HistoryRange, ServerSequence};

use crate::measure::{histogram, millis, nanos};
use crate::options::Options;
use crate::people::{self, user};
use crate::report::Report;
use crate::store;

/// The number of messages per page.
const PAGE: usize = 50;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let messages = options.preload.unwrap_or(1_000_000);
    let folder = options.folder()?;
    let service = store::builder(options.store, folder.path()).await?.start()?;
    // The messages of one long conversation, stored among those of another.
    let chats = people::open_pairs(&service, [(user(0), user(1)), (user(2), user(3))].into_iter()).await?;
    let chats = Arc::new(chats);
    people::preload(&service, &chats, 2 * messages, options.payload).await;
    let head = service.conversation(&chats[0].sender, chats[0].id).await?.head.get();

    let depths = [1, 10_000, messages as u64].map(|depth| depth.min(head.saturating_sub(PAGE as u64)));
    let mut latencies = depths.map(|_| histogram());
    let began = Instant::now();
    let mut n: u64 = 0;
    while began.elapsed() < options.span() {
        for (depth, latency) in depths.iter().zip(&mut latencies) {
            // Different pages are read.
            let before = (head + 1 - depth).saturating_sub(n % 500).max(PAGE as u64 + 1);
            let range = HistoryRange::Before(ServerSequence::new(before));
            let asked = Instant::now();
            let page = service.history(&chats[0].sender, chats[0].id, range, PAGE).await?;
            latency.saturating_record(nanos(asked.elapsed()));
            ensure!(page.messages.len() == PAGE, "a short page");
        }
        n += 1;
    }
    let mut report = Report::new(format!(
        "history: {:?}, pages of {PAGE} messages of {} bytes in a conversation of {messages}",
        options.store, options.payload
    ));
    for (depth, latency) in depths.iter().zip(&latencies) {
        report.add(format!("{depth} back, p50"), millis(latency, 0.5), "ms");
        report.add(format!("{depth} back, p99"), millis(latency, 0.99), "ms");
    }
    report.add("deepest / newest, p50", millis(&latencies[2], 0.5) / millis(&latencies[0], 0.5), "x");
    service.shutdown(options.span()).await;
    Ok(report)
}
