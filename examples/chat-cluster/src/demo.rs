//! A demonstration: two users at different hosts exchange messages.

use std::time::Instant;

use anyhow::{Context as _, Result};
use dm_e2e::Person;

use crate::cluster::Cluster;

/// Number of messages in each direction.
const MESSAGES: usize = 20;

/// Lets two users at different hosts exchange messages, and reports the time from the answer to a
/// send until the delivery.
///
/// # Errors
/// If a host refuses, or a message is not delivered.
pub async fn run(cluster: &Cluster, mut report: impl FnMut(&str)) -> Result<()> {
    let urls = cluster.urls();
    let (first, second) = (urls.first().context("a host")?, urls.get(1).context("another")?);
    let ana = Person::sign_in(first, "Ana").await?;
    let bo = Person::sign_in(second, "Bo").await?;
    let conversation = ana.open(&bo.key()).await?;
    let devices = (ana.connect("phone", bo.key())?, bo.connect("phone", ana.key())?);
    let mut delays = Vec::new();
    for n in 0..MESSAGES {
        for (from, to, peer, name) in
            [(&devices.0, &devices.1, bo.key(), "Ana"), (&devices.1, &devices.0, ana.key(), "Bo")]
        {
            from.send(conversation, peer, &format!("{name} says {n}")).await?;
            let answered = Instant::now();
            to.given(n + 1).await?;
            delays.push(answered.elapsed());
        }
    }
    delays.sort_unstable();
    let millis = |n: usize| delays.get(n).map_or(0.0, |span| span.as_secs_f64() * 1e3);
    report(&format!(
        "Ana at {first} and Bo at {second} sent {MESSAGES} messages each: from the answer to the delivery \
         median {:.1} ms, longest {:.1} ms",
        millis(MESSAGES),
        millis(2 * MESSAGES - 1),
    ));
    Ok(())
}
