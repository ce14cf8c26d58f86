//! Attacks on a host, and their effect on unrelated users.
//!
//! - [`bystanders`]: the users who must not be affected. [`call_stats`]: the counts and times of
//!   their calls.
//! - [`attackers`]: the users who attack, from another address. [`harm`]: the attacks, and the
//!   bounds that must hold meanwhile. [`turns`]: quiet and attacked by turns, on one host.
//! - [`outage`]: the host's storage stands still: a full disk, a frozen PostgreSQL.
//! - [`memory`]: the host's memory, compared with its documented bound. [`cores`]: separate cores
//!   for host and load.
//! - [`table`]: the printed results.
//!
//! Times are printed and never make the run fail. It fails if an outcome is wrong: a call that was
//! not served, memory over its bound, or a host that does not recover by itself. The load goes to
//! loopback only and ends by itself.

mod attackers;
mod bystanders;
mod call_stats;
mod cores;
mod harm;
mod memory;
mod outage;
mod table;
mod turns;

use std::time::{Duration, Instant};

use crate::options::AttackOptions;
use cores::Cores;
use harm::ATTACKS;
use outage::{OUTAGES, Ran};
use table::Table;

/// The time limit for a host to serve all users again.
const RECOVERY: Duration = Duration::from_secs(30);

/// Runs the attacks one after another, each on a host of its own, and prints the table.
pub(crate) async fn run(options: &AttackOptions) -> anyhow::Result<()> {
    let began = Instant::now();
    let wanted = |name: &str| options.only.as_ref().is_none_or(|part| name.contains(part.as_str()));
    let attacks: Vec<_> = ATTACKS.iter().filter(|attack| wanted(attack.name)).collect();
    let outages: Vec<_> = OUTAGES.iter().filter(|outage| wanted(outage.name)).collect();
    let all = attacks.len() + outages.len();
    anyhow::ensure!(all > 0, "no attack has such a name");
    let cores = Cores::apart();
    let mut table = Table::new(options, &cores);
    let progress = |n: usize, name: &str| eprintln!("{n} of {all}: {name}");
    for (n, attack) in (1..).zip(attacks) {
        progress(n, attack.name);
        table.add(turns::by_turns(attack, options, &cores).await?);
    }
    for (n, outage) in (table.len() + 1..).zip(outages) {
        progress(n, outage.name);
        match outage.run(options, &cores).await? {
            Ran::Through(line) => table.add(line),
            Ran::Not(why) => table.not_run(outage.name, why),
        }
    }
    table.print(began.elapsed());
    let wrong = table.wrong();
    anyhow::ensure!(
        wrong == 0,
        "{wrong} attacks had an outcome that must not be; the lines with WRONG say which"
    );
    Ok(())
}
