//! Sends to conversations and people that are not in memory, beside sends among few that are, by turns.

use crate::measure::{Measured, median};
use crate::options::Options;
use crate::report::Report;
use crate::subject::Subject;

/// Few conversations, all of which are in memory.
const WARM: (usize, usize) = (10_000, 2_000);

pub(crate) async fn run(rounds: usize, options: &Options) -> anyhow::Result<Report> {
    let preload = options.preload.unwrap_or(options.conversations);
    let few = Options { conversations: WARM.0, users: WARM.1, ..options.clone() };
    let folders = (options.folder()?, options.folder()?);
    let mut many = Subject::open(options.store, folders.0.path(), options).await?;
    many.preload(options, preload).await;
    let warm = Subject::open(options.store, folders.1.path(), &few).await?;
    warm.preload(&few, preload).await;

    let mut report = Report::new(format!(
        "cold: {:?}, {} in flight, {} bytes, {} conversations of {} people and {preload} messages just opened, \
         beside {} of {} in memory",
        options.store,
        options.in_flight,
        options.payload,
        options.conversations,
        options.users,
        WARM.0,
        WARM.1
    ));
    let (mut throughput, mut p50, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    let mut sent = preload;
    for round in 1..=rounds {
        many = many.reopened().await?;
        let cold = many.send_from(sent, options, options.span()).await;
        sent += usize::try_from(cold.calls)?;
        let warm = warm.send(&few, options.span()).await;
        for (what, measured) in [("cold", &cold), ("warm", &warm)] {
            report.add(format!("round {round}: {what}"), measured.per_second(), "msg/s");
        }
        let ratio = |quantile| cold.millis(quantile) / warm.millis(quantile);
        report.add(format!("round {round}: ratio"), rate(&cold, &warm), "x");
        throughput.push(rate(&cold, &warm));
        p50.push(ratio(0.5));
        p99.push(ratio(0.99));
        if round == rounds {
            for (what, measured) in [("cold", &cold), ("warm", &warm)] {
                report.add(format!("{what}, p50"), measured.millis(0.5), "ms");
                report.add(format!("{what}, p99"), measured.millis(0.99), "ms");
            }
        }
    }
    report.add("median ratio", median(throughput).unwrap_or_default(), "x");
    report.add("p50, cold / warm", median(p50).unwrap_or_default(), "x");
    report.add("p99, cold / warm", median(p99).unwrap_or_default(), "x");
    many.close().await;
    warm.close().await;
    Ok(report)
}

fn rate(cold: &Measured, warm: &Measured) -> f64 {
    cold.per_second() / warm.per_second()
}
