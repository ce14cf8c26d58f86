//! Opening a store.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::options::Options;
use crate::report::Report;
use crate::store;
use crate::subject::Subject;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let messages = options.preload.unwrap_or(1_000_000);
    let folder = options.folder()?;
    // Filled by a process of its own, which is killed while it writes.
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("fill").arg(folder.path());
    command.args(["--store", &options.store.name()]);
    for (name, value) in [
        ("--preload", messages),
        ("--payload", options.payload),
        ("--conversations", options.conversations),
        ("--users", options.users),
    ] {
        command.arg(name).arg(value.to_string());
    }
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("a pipe")?).lines();
    lines.next_line().await?.context("the process that fills the store ended")?;
    child.kill().await?;

    let mut report =
        Report::new(format!("open: {:?}, {messages} messages of {} bytes", options.store, options.payload));
    report.add("after it was killed", opened(options, folder.path()).await?, "ms");
    report.add("after it was closed", opened(options, folder.path()).await?, "ms");
    Ok(report)
}

/// Opens and closes; how long the opening took, in milliseconds.
async fn opened(options: &Options, folder: &Path) -> anyhow::Result<f64> {
    let began = Instant::now();
    let builder = store::builder(options.store, folder).await?;
    let took = began.elapsed();
    builder.start()?.shutdown(Duration::from_secs(30)).await;
    Ok(took.as_secs_f64() * 1e3)
}

/// Fills a folder, says so, and goes on until it is killed.
pub(crate) async fn fill(folder: &Path, options: &Options) -> anyhow::Result<()> {
    let subject = Subject::open(options.store, folder, options).await?;
    subject.preload(options, options.preload.unwrap_or(0)).await;
    // Far into the next checkpoint.
    subject.send(options, Duration::from_secs(1)).await;
    println!("filled");
    subject.send(options, Duration::from_secs(600)).await;
    Ok(())
}
