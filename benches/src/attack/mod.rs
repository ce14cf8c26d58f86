//! Attacks on a host, and how unrelated people fare meanwhile.
//!
//! - [`attacks`]: the attacks. [`bystanders`]: the people who must not notice.
//!
//! Each turn is a quiet half and a half under attack, on the same host. The table compares the slowest in a hundred of the
//! bystanders' calls, and says what the host's memory was and whether all was well afterwards. Load goes to loopback only and
//! ends by itself.

mod attacks;
mod bystanders;

use std::time::Duration;

use crate::host::Host;
use crate::measure::{histogram, millis};
use crate::options::AttackOptions;
use crate::subject::Kind;
use attacks::{ATTACKS, Attack, Attackers};
use bystanders::{Bystanders, Fared};

/// How many times slower the slowest in a hundred of the bystanders' calls may be.
const AIM: f64 = 3.0;

/// One line of the table.
struct Row {
    attack: &'static Attack,
    quiet: f64,
    attacked: f64,
    failed: u64,
    /// The host's memory in MiB before, at its most and afterwards.
    memory: [f64; 3],
    recovered: bool,
}

/// Runs the attacks one after another, each on a host of its own, and prints the table.
pub(crate) async fn run(options: &AttackOptions) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    let wanted =
        |attack: &&Attack| options.only.as_ref().is_none_or(|part| attack.name.contains(part.as_str()));
    for attack in ATTACKS.iter().filter(wanted) {
        eprintln!("{} …", attack.name);
        rows.push(by_turns(attack, options).await?);
    }
    print(options.store, &rows);
    let bad = rows.iter().filter(|row| !row.recovered || row.failed > 0).count();
    anyhow::ensure!(bad == 0, "{bad} attacks were noticed by others, or left traces");
    Ok(())
}

async fn by_turns(attack: &'static Attack, options: &AttackOptions) -> anyhow::Result<Row> {
    let host = Host::start_in(tempfile::tempdir()?, options.store, attack.descriptors).await?;
    let bystanders = Bystanders::join(&host).await?;
    let attackers = Attackers::join(&host, attack).await?;
    let span = Duration::from_secs(options.seconds);
    let before = host.resident()?;
    let (mut quiet, mut attacked) = (Fared::default(), Fared::default());
    let mut most = before;
    for _ in 0..options.rounds {
        quiet.add(bystanders.go_about_their_day(&host, span).await)?;
        let harm = attackers.begin(&host, attack);
        attacked.add(bystanders.go_about_their_day(&host, span).await)?;
        most = most.max(host.resident()?);
        // Ends with its connections.
        drop(harm);
    }
    // Afterwards everybody is served as before: the bystanders, and the attackers themselves.
    let after = bystanders.go_about_their_day(&host, span).await;
    let recovered = after.failed == 0 && after.calls() > 0 && attackers.are_served(&host).await;
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let row = Row {
        attack,
        quiet: millis(&quiet.latency, 0.99),
        attacked: millis(&attacked.latency, 0.99),
        failed: quiet.failed + attacked.failed,
        memory: [before, most, host.resident()?].map(mebibytes),
        recovered,
    };
    host.stop().await?;
    Ok(row)
}

fn print(store: Kind, rows: &[Row]) {
    println!("chat-host --store {}; calls of unrelated people, the slowest in a hundred", store.name());
    println!(
        "{:<34} {:>9} {:>9} {:>7} {:>7} {:>24} {:>10}  verdict",
        "attack", "quiet", "attacked", "times", "failed", "MiB before, most, after", "recovered"
    );
    for row in rows {
        let times = row.attacked / row.quiet.max(0.001);
        let good = times <= AIM && row.failed == 0 && row.recovered;
        println!(
            "{:<34} {:>6.2} ms {:>6.2} ms {times:>7.2} {:>7} {:>24} {:>10}  {}",
            row.attack.name,
            row.quiet,
            row.attacked,
            row.failed,
            format!("{:.0}, {:.0}, {:.0}", row.memory[0], row.memory[1], row.memory[2]),
            if row.recovered { "yes" } else { "no" },
            if good { "met" } else { "missed" },
        );
        println!("    bound: {}", row.attack.bound);
    }
    println!("aim: at most {AIM} times, nobody else's call fails, and all is well afterwards");
}

/// A histogram of calls, for what is not measured yet.
fn nothing() -> hdrhistogram::Histogram<u64> {
    histogram()
}
