//! Memory of sessions that wait.

use dm_core::{Delivery, Hub, Principal};
use tokio::sync::mpsc;

use crate::machine;
use crate::options::Options;
use crate::people::user;
use crate::report::Report;
use crate::store;

/// Sessions that connect at a time.
const AT_ONCE: usize = 64;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let count = options.preload.unwrap_or(10_000);
    let folder = options.folder()?;
    let hub = Hub::new();
    let service = store::builder(options.store, folder.path()).await?.notifier(hub.clone()).start()?;
    let people: Vec<Principal> = (0..count).map(|n| Principal::from(user(n))).collect();
    // Devices register on their first connection; what the store keeps of them is not the session's.
    for who in &people {
        drop(hub.connect(&service, who).await?);
    }

    let before = machine::resident("self")?;
    let (ready, mut readies) = mpsc::channel(64);
    for (n, who) in people.into_iter().enumerate() {
        let (hub, service, ready) = (hub.clone(), service.clone(), ready.clone());
        // A few connect at a time: what connecting takes for a moment is not what waiting costs.
        if n >= AT_ONCE {
            readies.recv().await;
        }
        tokio::spawn(async move {
            let mut session = hub.connect(&service, &who).await.expect("it connects");
            while let Ok(delivery) = session.next().await {
                if matches!(delivery, Delivery::CaughtUp { .. }) {
                    ready.send(()).await.expect("somebody counts");
                }
            }
        });
    }
    for _ in 0..count.min(AT_ONCE) {
        readies.recv().await;
    }
    let after = machine::resident("self")?;
    let mut report =
        Report::new(format!("sessions: {:?}, {count} that wait, their tasks included", options.store));
    report.add("memory", after.saturating_sub(before) as f64 / count as f64, "bytes/session");
    service.shutdown(options.span()).await;
    Ok(report)
}
