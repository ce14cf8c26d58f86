//! A PostgreSQL server whose processes are stopped: connections stay open, and nothing is answered.

use std::time::Duration;

use dm_test_servers::postgres::{self, Cluster};
use tokio::task::block_in_place;

use super::{COSTS, Ran, recovery, told};
use crate::attack::bystanders::Bystanders;
use crate::attack::cores::Cores;
use crate::attack::memory::Before;
use crate::attack::table::{Line, Remarks};
use crate::attack::turns::health;
use crate::host::{Host, Setup};
use crate::subject::Kind;

/// The time that the server is stopped at least. It is longer than the age of a call at which
/// health is not ready (`Config::commit_bound` and `read_bound`, 10 s).
const FROZEN: Duration = Duration::from_secs(12);
/// A call takes at most 5 s to look up its token, 5 to get a connection and 15 on it
/// (`PostgresConfig::wait_timeout`, `network_timeout`), and a write 10 more to find out whether it
/// was stored (`resolve_timeout`).
const BOUND: Duration = Duration::from_secs(35);

pub(super) async fn run(name: &'static str, span: Duration, cores: &Cores) -> anyhow::Result<Ran> {
    if !postgres::is_installed() {
        return Ok(Ran::Not("PostgreSQL is not installed; as root: apt-get install postgresql".into()));
    }
    let cluster = block_in_place(Cluster::alone);
    let data = tempfile::tempdir()?;
    let mut setup = Setup::new(data.path(), Kind::Postgres);
    (setup.cores, setup.log) = (cores.of_host(), "off");
    setup.postgres = Some(cluster.parameters("postgres"));
    let host = Host::start_with(&setup).await?;
    let bystanders = Bystanders::join(&host).await?;
    let quiet = bystanders.make_calls(&host, span).await;
    let before = Before::of(&host)?;
    let mut remarks = Remarks::default();
    remarks.must(quiet.unserved() == 0, "calls of bystanders were not served before");

    // The last call in progress when the server stops is answered after this time.
    let frozen = block_in_place(|| cluster.freeze());
    let stats = bystanders.call_for(&host, FROZEN, BOUND).await;
    let ready = health(&host).await?;
    block_in_place(|| drop(frozen));
    remarks.add(told("frozen", &stats, BOUND));
    remarks.says(format!("health said {ready} at the end of that"));
    remarks.must(ready == 503, "health was ready although nobody could be served");

    let recovered = recovery(&host, &bystanders, span, &mut remarks).await;
    remarks.add(before.compare(&host, COSTS, Kind::Postgres)?);
    host.stop().await?;
    block_in_place(|| drop(cluster));
    Ok(Ran::Through(Line { name, quiet: quiet.p99(), attacked: None, recovered, remarks }))
}
