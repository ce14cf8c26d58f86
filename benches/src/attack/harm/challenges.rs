//! Sign-in challenges that are requested and not used.

use anyhow::ensure;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::attack::attackers::Attackers;

/// The number of the first user whose key is named.
const FIRST: usize = 2_000;

pub(super) async fn ask(attackers: &Attackers, n: usize) -> anyhow::Result<()> {
    let mut stream = attackers.dial().await?;
    let mut answer = vec![0; 4096];
    let body = format!(r#"{{"public_key":"{}"}}"#, crate::host::key(FIRST + n));
    let request = format!(
        "POST /api/auth/challenge HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    for _ in 0..250 {
        stream.write_all(request.as_bytes()).await?;
        ensure!(stream.read(&mut answer).await? > 0, "closed");
    }
    Ok(())
}
