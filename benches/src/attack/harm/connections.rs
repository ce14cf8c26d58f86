//! Connections that ask for nothing.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::attack::attackers::Attackers;

/// Before one that was closed comes again.
const PAUSE: Duration = Duration::from_secs(1);
/// Bytes of headers that a host still reads on, nearly.
const HEADERS: usize = 16_000;

/// Connects, and holds the connection for as long as the host does.
pub(super) async fn say_nothing(attackers: &Attackers) -> anyhow::Result<()> {
    until_closed(attackers.dial().await?).await
}

/// The same, after sending as much of a request's headers as the host reads, and not their end.
pub(super) async fn say_half(attackers: &Attackers) -> anyhow::Result<()> {
    let mut stream = attackers.dial().await?;
    let mut request = b"GET /api/info HTTP/1.1\r\nx-padding: ".to_vec();
    request.resize(HEADERS, b'x');
    stream.write_all(&request).await?;
    until_closed(stream).await
}

async fn until_closed(mut stream: TcpStream) -> anyhow::Result<()> {
    // Not an error of its own: a host may reset the connection.
    let _closed = stream.read(&mut [0; 512]).await;
    drop(stream);
    tokio::time::sleep(PAUSE).await;
    Ok(())
}
