//! A disk that fills up, and then has space again.

use std::time::Duration;

use dm_test_disk::SmallDisk;

use super::{COSTS, Ran, recovery, told};
use crate::attack::bystanders::{Bystanders, PATIENCE};
use crate::attack::cores::Cores;
use crate::attack::memory::Before;
use crate::attack::table::{Line, Remarks};
use crate::attack::turns::health;
use crate::host::{Host, Setup};
use crate::subject::Kind;

const MEBIBYTE: u64 = 1 << 20;
/// The size of the disk: more than the reserve of 64 MiB that stores keep by default, and the files
/// that they make first.
const DISK: u64 = 256 * MEBIBYTE;
/// The space that is left at first: less than the reserve.
const NEARLY_FULL: u64 = 32 * MEBIBYTE;

/// The number of messages for each bystander to acknowledge meanwhile.
const PENDING: usize = 400;

pub(super) async fn run(
    name: &'static str,
    store: Kind,
    span: Duration,
    cores: &Cores,
) -> anyhow::Result<Ran> {
    let disk = match SmallDisk::try_mount(DISK) {
        Ok(disk) => disk,
        Err(why) => return Ok(Ran::Not(why)),
    };
    let data = disk.path().join("data");
    let mut setup = Setup::new(&data, store);
    (setup.cores, setup.log) = (cores.of_host(), "off");
    let host = Host::start_with(&setup).await?;
    let bystanders = Bystanders::join(&host).await?;
    let quiet = bystanders.make_calls(&host, span).await;
    let before = Before::of(&host)?;
    let mut remarks = Remarks::default();
    remarks.must(quiet.unserved() == 0, "calls of bystanders were not served before");

    // Acknowledgements are served without free space until the disk is full, so there must be
    // enough messages to acknowledge.
    bystanders.write_to_each(&host, PENDING).await?;
    disk.fill(NEARLY_FULL);
    let stats = bystanders.call_for(&host, span, PATIENCE).await;
    remarks.add(told("32 MiB left", &stats, PATIENCE));
    remarks.must(stats.reads.refused == 0, "reads were refused while only the reserve was used up");
    remarks.must(stats.writes.refused > 0, "the reserve was written into");
    let ready = health(&host).await?;

    disk.fill(0);
    let stats = bystanders.call_for(&host, span, PATIENCE).await;
    remarks.add(told("nothing left", &stats, PATIENCE));

    disk.make_room();
    let recovered = recovery(&host, &bystanders, span, &mut remarks).await;
    remarks.says(format!(
        "health said {ready} with less left than the store's reserve of 64 MiB (reserve_bytes)"
    ));
    remarks.must(ready == 503, "health was ready although the disk was nearly full");
    remarks.add(before.compare(&host, COSTS, store)?);
    host.stop().await?;
    Ok(Ran::Through(Line { name, quiet: quiet.p99(), attacked: None, recovered, remarks }))
}
