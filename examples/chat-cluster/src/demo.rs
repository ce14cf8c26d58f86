//! Two people on different hosts.

use std::time::Instant;

use anyhow::{Context as _, Result};
use dm_e2e::Person;

use crate::cluster::Cluster;

/// Messages each way.
const MESSAGES: usize = 20;

/// Lets two people on different hosts write to each other, and tells how long messages took from the answer to their
/// arrival.
///
/// # Errors
/// When a host refuses, or a message does not arrive.
pub async fn run(cluster: &Cluster, mut tell: impl FnMut(&str)) -> Result<()> {
    let urls = cluster.urls();
    let (first, second) = (urls.first().context("a host")?, urls.get(1).context("another")?);
    let ana = Person::sign_in(first, "Ana").await?;
    let bo = Person::sign_in(second, "Bo").await?;
    let conversation = ana.open(&bo.key()).await?;
    let devices = (ana.connect("phone", bo.key())?, bo.connect("phone", ana.key())?);
    let mut beyond = Vec::new();
    for n in 0..MESSAGES {
        for (from, to, peer, name) in
            [(&devices.0, &devices.1, bo.key(), "Ana"), (&devices.1, &devices.0, ana.key(), "Bo")]
        {
            from.send(conversation, peer, &format!("{name} says {n}")).await?;
            let answered = Instant::now();
            to.given(n + 1).await?;
            beyond.push(answered.elapsed());
        }
    }
    beyond.sort_unstable();
    let millis = |n: usize| beyond.get(n).map_or(0.0, |span| span.as_secs_f64() * 1e3);
    tell(&format!(
        "Ana at {first} and Bo at {second} wrote {MESSAGES} messages each: from the answer to the other's device \
         {:.1} ms, at most {:.1} ms",
        millis(MESSAGES),
        millis(2 * MESSAGES - 1),
    ));
    Ok(())
}
