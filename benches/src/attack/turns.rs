//! Quiet and attacked by turns, on one host.

use std::time::{Duration, Instant};

use super::RECOVERY;
use super::attackers::Attackers;
use super::bystanders::Bystanders;
use super::call_stats::CallStats;
use super::cores::Cores;
use super::harm::Attack;
use super::memory::Before;
use super::table::{Line, Remarks};
use crate::host::{Host, Setup};
use crate::options::AttackOptions;
use crate::wire;

pub(super) async fn by_turns(
    attack: &'static Attack,
    options: &AttackOptions,
    cores: &Cores,
) -> anyhow::Result<Line> {
    let data = tempfile::tempdir()?;
    let mut setup = Setup::new(data.path(), options.store);
    (setup.descriptors, setup.cores, setup.log) = (attack.descriptors, cores.of_host(), "off");
    let host = Host::start_with(&setup).await?;
    let bystanders = Bystanders::join(&host).await?;
    let attackers = Attackers::join(&host, attack).await?;
    let span = Duration::from_secs(options.seconds);
    let (mut quiet, mut attacked, mut rounds) = (CallStats::default(), CallStats::default(), 0);
    quiet.add(&bystanders.make_calls(&host, span).await)?;
    let before = Before::of(&host)?;
    for round in 0..options.rounds {
        if round > 0 {
            quiet.add(&bystanders.make_calls(&host, span).await)?;
        }
        let harm = attackers.begin(attack)?;
        attacked.add(&bystanders.make_calls(&host, span).await)?;
        rounds += harm.rounds();
        // The drop joins a thread, which ends at once.
        tokio::task::block_in_place(|| drop(harm));
    }

    // Afterwards all users must be served as before: the bystanders and the attackers themselves.
    let ended = Instant::now();
    let mut remarks = Remarks::default();
    let ready = until_ready(&host).await;
    remarks.add(attack.kind.left(&host, &attackers).await?);
    let served = ready && attackers.are_served().await;
    let recovered = served.then(|| ended.elapsed());
    let after = bystanders.make_calls(&host, span).await;
    remarks.must(served, "the host is not ready again, or does not serve the attackers, who behave now");
    remarks.must(after.unserved() == 0, "calls of bystanders were not served after the attack");
    remarks.must(quiet.unserved() + attacked.unserved() == 0, "calls of bystanders were not served");
    let mut said = Remarks::default();
    said.says(format!(
        "bystanders: {} calls meanwhile, {} not served; attackers: {} connections at a time, {rounds} rounds",
        attacked.calls(),
        attacked.unserved(),
        attack.connections
    ));
    said.add(before.compare(&host, attack.costs, options.store)?);
    said.add(remarks);
    let line = Line {
        name: attack.name,
        quiet: quiet.p99(),
        attacked: Some(attacked.p99()),
        recovered,
        remarks: said,
    };
    host.stop().await?;
    Ok(line)
}

/// Waits until the host's health check is ready. Returns whether it was within the time limit.
async fn until_ready(host: &Host) -> bool {
    let began = Instant::now();
    while began.elapsed() < RECOVERY {
        if matches!(tokio::time::timeout(RECOVERY, health(host)).await, Ok(Ok(200))) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// The status of the host's health check.
pub(super) async fn health(host: &Host) -> anyhow::Result<u16> {
    let mut requests = wire::connect(&host.address).await?;
    Ok(wire::get(&mut requests, "", "/healthz").await?.0)
}
