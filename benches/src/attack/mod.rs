//! Attacks on a host, and how unrelated people fare meanwhile.
//!
//! - [`bystanders`]: the people who must not notice. [`fared`]: how their calls went.
//! - [`attackers`]: those who do harm, from an address of their own. [`harm`]: what they do, and
//!   the bounds that must hold meanwhile. [`turns`]: quiet and attacked by turns, on one host.
//! - [`outage`]: what the host writes to stands still: a full disk, a frozen PostgreSQL.
//! - [`memory`]: the host's memory beside its documented bound. [`cores`]: apart for host and load.
//! - [`table`]: how it is told.
//!
//! Timing is printed and decides nothing. The run fails when an outcome is wrong: a call that was
//! not served, memory over its bound, or a host that does not recover by itself. Load goes to
//! loopback only and ends by itself.

mod attackers;
mod bystanders;
mod cores;
mod fared;
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

/// How long a host may take to serve everybody again.
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
