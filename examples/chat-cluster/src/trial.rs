//! Kills under traffic.

use std::time::Instant;

use anyhow::Result;

use crate::cluster::{Cluster, Part};
use crate::oracle::{Verdict, judge};
use crate::traffic::{Traffic, gather};

/// Answers between two kills, and while a part is down that the others can do without.
const SHARE: usize = 100;

/// Lets people write to each other while one part after the other is killed and started again, and judges what is there
/// afterwards. Before each kill the devices that hop go on to the next host. Tells what it does.
///
/// # Errors
/// When a part does not come up again, or all senders give up.
pub async fn run(cluster: &mut Cluster, kills: usize, mut tell: impl FnMut(&str)) -> Result<Verdict> {
    let urls = cluster.urls();
    let mut pairs = gather(&urls).await?;
    let mut traffic = Traffic::start(&pairs);
    for (kill, part) in (1..=kills).zip(Part::ALL.into_iter().cycle()) {
        let answered = traffic.more(SHARE).await?;
        for hopper in pairs.iter_mut().flat_map(|pair| &mut pair.hoppers) {
            hopper.hop(&urls).await?;
        }
        let began = Instant::now();
        cluster.kill(part).await?;
        // Without the bus, and without one host, messages go on.
        if part != Part::Database {
            traffic.more(SHARE).await?;
        }
        cluster.revive(part).await?;
        let down = began.elapsed().as_secs_f64();
        tell(&format!("{kill:>3} of {kills}: {part} was down for {down:.1} s, {answered} answered before"));
    }
    traffic.more(SHARE).await?;
    let sent = traffic.stop().await;
    tell("judging: what is in the history, and what every device was given");
    judge(pairs, &sent).await
}
