//! Fetching pending messages after sending many, which the fetch has to pass over.

use crate::attack::attackers::Attackers;
use crate::attack::memory::Bound;
use crate::wire;

/// The memory that the attack may cost the host.
pub(super) const COSTS: Bound =
    Bound { mebibytes: 32, why: "answers to one user, while they are made (Options::answer_bytes_per_user)" };

pub(super) async fn fetch(attackers: &Attackers) -> anyhow::Result<()> {
    let mut requests = wire::requests(attackers.dial().await?).await?;
    for _ in 0..50 {
        wire::get(&mut requests, &attackers.attacker.token, "/api/dm/offline").await?;
    }
    Ok(())
}
