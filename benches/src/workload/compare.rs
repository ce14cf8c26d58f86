//! Two subjects by turns, because machines are noisy: a disturbance slows both.

use crate::measure::median;
use crate::options::Options;
use crate::report::Report;
use crate::subject::{Kind, Subject};

pub(crate) async fn run(one: Kind, other: Kind, rounds: usize, options: &Options) -> anyhow::Result<Report> {
    let folders = (options.folder()?, options.folder()?);
    let without = Options { conditions: false, ..options.clone() };
    let subjects = (
        Subject::open(one, folders.0.path(), options).await?,
        Subject::open(other, folders.1.path(), &without).await?,
    );
    let preload = options.preload.unwrap_or(0);
    subjects.0.preload(options, preload).await;
    subjects.1.preload(options, preload).await;
    let mut report = Report::new(format!(
        "compare {one:?}{} with {other:?}: {} in flight, {} bytes, {} conversations of {} people, {preload} messages before",
        if options.conditions { " (conditions)" } else { "" },
        options.in_flight,
        options.payload,
        options.conversations,
        options.users
    ));
    let mut ratios = Vec::new();
    for round in 1..=rounds {
        let first = subjects.0.send(options, options.span()).await.per_second();
        let second = subjects.1.send(options, options.span()).await.per_second();
        report.add(format!("round {round}: first, {one:?}"), first, "msg/s");
        report.add(format!("round {round}: second, {other:?}"), second, "msg/s");
        report.add(format!("round {round}: ratio"), first / second, "x");
        ratios.push(first / second);
    }
    report.add("median ratio", median(ratios).unwrap_or_default(), "x");
    subjects.0.close().await;
    subjects.1.close().await;
    Ok(report)
}
