//! Opening a store.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use dm_core::Principal;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::options::Options;
use crate::people::{self, Chat};
use crate::report::Report;
use crate::store::Data;
use crate::subject::Subject;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let messages = options.preload.unwrap_or(1_000_000);
    let folder = options.folder()?;
    // A child process fills the store and is killed while it writes.
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
    let data = Data::new(options.store, folder.path());
    for after in ["after it was killed", "after it was closed"] {
        opened(&data, options, after, &mut report).await?;
    }
    Ok(report)
}

/// Opens, reads, sends and closes. The first read and the first send wait for work that opening
/// defers.
async fn opened(data: &Data, options: &Options, after: &str, report: &mut Report) -> anyhow::Result<()> {
    let (builder, took) = data.timed_reopen().await?;
    report.add(after, took.as_secs_f64() * 1e3, "ms");
    let service = builder.start()?;
    let mut began = Instant::now();
    let mut millis = || {
        let took = began.elapsed();
        began = Instant::now();
        took.as_secs_f64() * 1e3
    };
    let sender = Principal::from(people::user(0));
    let list = service.conversations(&sender, 50, None).await?;
    report.add(format!("first list {after}"), millis(), "ms");
    let id = list.conversations.first().context("a conversation")?.conversation.id;
    people::send(&service, &Chat { id, sender, key_version: None }, 0, options.payload).await;
    report.add(format!("first send {after}"), millis(), "ms");
    service.shutdown(Duration::from_secs(30)).await;
    Ok(())
}

/// Fills a folder, prints a line, and continues until it is killed.
pub(crate) async fn fill(folder: &Path, options: &Options) -> anyhow::Result<()> {
    let subject = Subject::open(options.store, folder, options).await?;
    subject.preload(options, options.preload.unwrap_or(0)).await;
    // Long enough to be in the middle of the next checkpoint.
    subject.send(options, Duration::from_secs(1)).await;
    println!("filled");
    subject.send(options, Duration::from_secs(600)).await;
    Ok(())
}
