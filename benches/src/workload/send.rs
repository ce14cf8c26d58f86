//! Durable sends.

use crate::machine;
use crate::measure::{Commits, Until};
use crate::options::Options;
use crate::report::Report;
use crate::subject::{Kind, Subject};
use crate::workload::host_writer::HostWriter;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let commits = Commits::record()?;
    let folder = options.folder()?;
    let mut subject = Subject::open(options.store, folder.path(), options).await?;
    let preload = options.preload.unwrap_or(0);
    subject.preload(options, preload).await;
    if options.cold {
        subject = subject.reopened().await?;
    }
    let host = HostWriter::start(options, folder.path())?;
    let _before = commits.median();
    let calls = if options.cold { options.conversations } else { usize::MAX };
    let measured = subject.send_from(0, options, Until { span: options.span(), calls }).await;
    let commit = commits.median();

    let title = format!(
        "send: {:?}{}{}, {} in flight, {} bytes, {} conversations of {} people, {preload} messages before",
        options.store,
        if options.cold { " just opened" } else { "" },
        if options.conditions { ", with conditions" } else { "" },
        options.in_flight,
        options.payload,
        options.conversations,
        options.users
    );
    let mut report = Report::new(title);
    report.add("durable sends", measured.per_second(), "msg/s");
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        report.add(name, measured.millis(quantile), "ms");
    }
    if let Some(commit) = commit {
        report.add("median batch", commit.writes, "writes");
        report.add("median commit", commit.millis, "ms");
        report.add("p99 / median commit", measured.millis(0.99) / commit.millis, "x");
    }
    if let Some(host) = host {
        report.add("a host's own writes", host.stop()?, "/s");
    }
    subject.close().await;
    let messages = measured.calls as f64 + preload as f64;
    // The data of a server is not in the folder.
    if options.store != Kind::Postgres {
        report.add("on disk", machine::disk(folder.path())? as f64 / messages, "bytes/msg");
    }
    Ok(report)
}
