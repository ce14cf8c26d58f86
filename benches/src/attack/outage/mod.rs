//! Outages in which the host's store cannot write for a while. Calls must be answered meanwhile,
//! and the host must recover by itself.

#[cfg(target_os = "linux")]
mod disk;
mod postgres;

use std::time::{Duration, Instant};

use super::RECOVERY;
use super::bystanders::Bystanders;
use super::call_stats::CallStats;
use super::cores::Cores;
use super::memory::Bound;
use super::table::{Line, Remarks};
use super::turns::health;
use crate::host::Host;
use crate::options::AttackOptions;
use crate::subject::Kind;

/// An event that stops the store of a host.
pub(super) struct Outage {
    pub(super) name: &'static str,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    FullDisk(Kind),
    FrozenPostgres,
}

/// The result of an outage, or the reason why it could not be tried.
pub(super) enum Ran {
    Through(Line),
    Not(String),
}

pub(super) const OUTAGES: &[Outage] = &[
    Outage { name: "disk full, then room again: SQLite", what: What::FullDisk(Kind::Sqlite) },
    Outage { name: "disk full, then room again: redb", what: What::FullDisk(Kind::Redb) },
    Outage { name: "disk full, then room again: fjall", what: What::FullDisk(Kind::Fjall) },
    Outage { name: "PostgreSQL frozen, then going on", what: What::FrozenPostgres },
];

/// The memory that an outage may cost the host: writes wait in the queue.
const COSTS: Bound =
    Bound { mebibytes: 64, why: "writes that wait to be stored (dm_core::Config::queue_bytes)" };

impl Outage {
    pub(super) async fn run(&self, options: &AttackOptions, cores: &Cores) -> anyhow::Result<Ran> {
        let span = Duration::from_secs(options.seconds);
        match self.what {
            #[cfg(target_os = "linux")]
            What::FullDisk(store) => disk::run(self.name, store, span, cores).await,
            #[cfg(not(target_os = "linux"))]
            What::FullDisk(_) => Ok(Ran::Not("small disks are made on Linux only".into())),
            What::FrozenPostgres => postgres::run(self.name, span, cores).await,
        }
    }
}

/// Describes the calls during an outage. Each must have been answered within `bound`.
fn told(during: &str, stats: &CallStats, bound: Duration) -> Remarks {
    let of = |served: u64, all: u64| format!("{served} of {all}");
    let mut remarks = Remarks::default();
    remarks.says(format!(
        "{during}: served {} reads and {} writes, {} told to come again (503), {} without an answer; slowest {:.2} s \
         (bound {} s)",
        of(stats.reads.served, stats.reads.all()),
        of(stats.writes.served, stats.writes.all()),
        stats.reads.refused + stats.writes.refused,
        stats.failed(),
        stats.slowest() / 1e3,
        bound.as_secs(),
    ));
    remarks
        .must(stats.failed() == 0, "a call was not answered within its bound, or by another status than 503");
    remarks
}

/// Lets bystanders call after an outage until all of them are served for a while and health is
/// ready. Returns the time until the beginning of that while.
async fn recovery(
    host: &Host,
    bystanders: &Bystanders,
    span: Duration,
    remarks: &mut Remarks,
) -> Option<Duration> {
    let ended = Instant::now();
    let mut recovered = None;
    while recovered.is_none() && ended.elapsed() < RECOVERY {
        let after = ended.elapsed();
        let stats = bystanders.call_for(host, Duration::from_millis(200), RECOVERY).await;
        let ready = health(host).await.is_ok_and(|status| status == 200);
        recovered = (ready && stats.unserved() == 0).then_some(after);
    }
    remarks.must(recovered.is_some(), "it did not recover by itself");
    let after = bystanders.make_calls(host, span).await;
    remarks.must(after.unserved() == 0, "calls of bystanders were not served after it had recovered");
    recovered
}
