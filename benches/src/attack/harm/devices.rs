//! One user who registers many devices.

use anyhow::Context as _;
use http_body_util::Full;
use hyper::body::Bytes;
use serde::Deserialize;

use crate::attack::attackers::Attackers;
use crate::attack::table::Remarks;
use crate::wire::{self, Requests};

/// The default limit of devices of a user.
const MOST: usize = 8;

#[derive(Deserialize)]
struct Devices {
    devices: Vec<Device>,
}

#[derive(Deserialize)]
struct Device {
    device: String,
}

pub(super) async fn register(attackers: &Attackers, n: usize) -> anyhow::Result<()> {
    let mut requests = wire::requests(attackers.dial().await?).await?;
    for device in 0..250 {
        fetch(attackers, &mut requests, &format!("d{n}-{device}")).await?;
    }
    Ok(())
}

/// Checks after the attack: the ninth device is refused, lists the devices, forgets one of them and
/// is accepted.
pub(super) async fn left(attackers: &Attackers) -> anyhow::Result<Remarks> {
    let mut requests = wire::requests(attackers.dial().await?).await?;
    let ninth = "one-more";
    let before = fetch(attackers, &mut requests, ninth).await?;
    let (listed, body) = call(attackers, &mut requests, "GET", "devices", ninth).await?;
    let devices = serde_json::from_slice::<Devices>(&body).context("the devices")?.devices;
    let mut forgotten = 0;
    if let Some(first) = devices.first() {
        let path = format!("devices/{}", first.device);
        forgotten = call(attackers, &mut requests, "DELETE", &path, ninth).await?.0;
    }
    let after = fetch(attackers, &mut requests, ninth).await?;
    let mut remarks = Remarks::default();
    remarks.says(format!(
        "devices: {} (at most {MOST}, Config::devices_per_user); the next one got {before}, listed them ({listed}), forgot \
         one ({forgotten}) and got {after}",
        devices.len()
    ));
    let good = (before, listed, forgotten, after) == (429, 200, 204, 200) && devices.len() == MOST;
    remarks.must(good, "the ninth device is not refused, or cannot make room for itself");
    Ok(remarks)
}

/// Fetches the pending messages of a device, which registers it. Returns the status.
async fn fetch(attackers: &Attackers, requests: &mut Requests, device: &str) -> anyhow::Result<u16> {
    Ok(call(attackers, requests, "GET", "offline?limit=1", device).await?.0)
}

async fn call(
    attackers: &Attackers,
    requests: &mut Requests,
    method: &str,
    path: &str,
    device: &str,
) -> anyhow::Result<(u16, Bytes)> {
    let request = wire::request(method, &format!("/api/dm/{path}"), &attackers.attacker.token);
    wire::ask(requests, request.header("dm-device", device).body(Full::default())?).await
}
