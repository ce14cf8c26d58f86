//! Invented methods and paths. Each was once a label of a metric.

use anyhow::ensure;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::attack::attackers::Attackers;
use crate::attack::table::Remarks;
use crate::host::Host;
use crate::wire;

/// The most bytes of an answer to `GET /metrics`. Methods outside a fixed set have one common
/// label.
const METRICS: usize = 256 * 1024;

pub(super) async fn ask(attackers: &Attackers, n: usize) -> anyhow::Result<()> {
    let mut stream = attackers.dial().await?;
    let mut answer = vec![0; 4096];
    for method in 0..250_usize {
        let request = format!("X{n}{} /api/dm/{method} HTTP/1.1\r\nhost: localhost\r\n\r\n", letters(method));
        stream.write_all(request.as_bytes()).await?;
        ensure!(stream.read(&mut answer).await? > 0, "closed");
    }
    Ok(())
}

pub(super) async fn left(host: &Host) -> anyhow::Result<Remarks> {
    let mut requests = wire::connect(&host.address).await?;
    let (status, bytes) = wire::get(&mut requests, "", "/metrics").await?;
    let mut remarks = Remarks::default();
    remarks.says(format!("GET /metrics answers with {} KiB (at most {})", bytes / 1024, METRICS / 1024));
    remarks.must(status == 200 && bytes <= METRICS, "made-up methods are in the metrics");
    Ok(remarks)
}

/// A number as capital letters, for the name of a method.
fn letters(mut number: usize) -> String {
    let mut name = String::new();
    loop {
        name.push(char::from(b'A' + (number % 26) as u8));
        number /= 26;
        if number == 0 {
            return name;
        }
    }
}
