//! The memory of waiting sessions.

use dm_core::{Delivery, Principal, Service};
use tokio::sync::mpsc;

use crate::machine;
use crate::options::Options;
use crate::people::user;
use crate::report::Report;
use crate::store;

/// The number of sessions that connect at a time.
const AT_ONCE: usize = 64;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let count = options.preload.unwrap_or(10_000);
    let folder = options.folder()?;
    let service = store::builder(options.store, folder.path()).await?.start()?;
    let people: Vec<Principal> = (0..count).map(|n| Principal::from(user(n))).collect();
    // Devices register when they first connect, and reads fill the store's caches, whose size does
    // not depend on the number of sessions. Neither is counted. There are two rounds, because
    // registering changes the file, which empties the caches of SQLite's readers.
    for _ in 0..2 {
        connect(&service, &people, false).await;
    }

    let before = machine::resident("self")?;
    connect(&service, &people, true).await;
    let after = machine::resident("self")?;
    let mut report =
        Report::new(format!("sessions: {:?}, {count} that wait, their tasks included", options.store));
    report.add("memory", after.saturating_sub(before) as f64 / count as f64, "bytes/session");
    service.shutdown(options.span()).await;
    Ok(report)
}

/// Connects sessions in separate tasks, a few at a time, because the memory of connecting is not
/// that of waiting. Returns when each session has caught up; then they wait for more, or end
/// immediately.
async fn connect(service: &Service, people: &[Principal], wait: bool) {
    let (ready, mut readies) = mpsc::channel(AT_ONCE);
    for (n, who) in people.iter().enumerate() {
        let (service, ready, who) = (service.clone(), ready.clone(), who.clone());
        if n >= AT_ONCE {
            readies.recv().await;
        }
        tokio::spawn(async move {
            let mut session = service.connect(&who).await.expect("it connects");
            while let Ok(delivery) = session.next().await {
                if matches!(delivery, Delivery::CaughtUp { .. }) {
                    ready.send(()).await.expect("somebody counts");
                    if !wait {
                        return;
                    }
                }
            }
        });
    }
    for _ in 0..people.len().min(AT_ONCE) {
        readies.recv().await;
    }
}
