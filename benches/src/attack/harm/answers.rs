//! REST answers that are not read.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use crate::attack::attackers::Attackers;
use crate::attack::memory::Bound;

/// The memory that the attack may cost the host.
pub(super) const COSTS: Bound = Bound {
    mebibytes: 32 + 7,
    why: "answers to one user (Options::answer_bytes_per_user, 32 MiB), and what the HTTP server has taken over \
          (serve::Limits::header_bytes to read and to write, and a piece: 64 KiB for each connection)",
};

pub(super) async fn ask_and_read_nothing(attackers: &Attackers) -> anyhow::Result<()> {
    let request = format!(
        "GET /api/dm/offline HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
        attackers.attacker.token
    );
    let mut stream = attackers.unread(request.as_bytes()).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let _closed = stream.shutdown().await;
    Ok(())
}
