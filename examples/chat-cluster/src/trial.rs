//! A trial: parts are killed under traffic.

use std::time::Instant;

use anyhow::Result;

use crate::cluster::{Cluster, Part};
use crate::oracle::{Verdict, judge};
use crate::traffic::{Traffic, sign_in_pairs};

/// Number of confirmed sends to wait for between two kills, and while a part is down without which
/// sends can succeed.
const SENDS_PER_STEP: usize = 100;

/// Runs traffic while one part after the other is killed and restarted, and judges the stored and
/// delivered messages at the end. Before each kill the roaming devices connect to the next host.
/// Reports the progress to `report`.
///
/// # Errors
/// If a part does not restart, or all senders give up.
pub async fn run(cluster: &mut Cluster, kills: usize, mut report: impl FnMut(&str)) -> Result<Verdict> {
    let urls = cluster.urls();
    let mut pairs = sign_in_pairs(&urls).await?;
    let mut traffic = Traffic::start(&pairs);
    for (kill, part) in (1..=kills).zip(Part::ALL.into_iter().cycle()) {
        let answered = traffic.wait_for_answers(SENDS_PER_STEP).await?;
        for device in pairs.iter_mut().flat_map(|pair| &mut pair.roaming) {
            device.connect_to_next_host(&urls).await?;
        }
        let began = Instant::now();
        cluster.kill(part).await?;
        // Sends succeed without NATS, and without one of the hosts.
        if part != Part::Database {
            traffic.wait_for_answers(SENDS_PER_STEP).await?;
        }
        cluster.restart(part).await?;
        let down = began.elapsed().as_secs_f64();
        report(&format!("{kill:>3} of {kills}: {part} was down for {down:.1} s, {answered} answered before"));
    }
    traffic.wait_for_answers(SENDS_PER_STEP).await?;
    let sent = traffic.stop().await;
    report("comparing the confirmed sends with the history and with the deliveries");
    judge(pairs, &sent).await
}
