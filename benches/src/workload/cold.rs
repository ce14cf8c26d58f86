//! Sends to conversations and users that are not in memory, compared with sends among few that are,
//! by turns.

use super::turns::{Ratios, Turn};
use crate::measure::{Until, median};
use crate::options::Options;
use crate::report::Report;
use crate::subject::Subject;

/// The number of conversations that are all in memory, and of their users.
const WARM: (usize, usize) = (10_000, 2_000);

pub(crate) async fn run(rounds: usize, options: &Options) -> anyhow::Result<Report> {
    let preload = options.preload.unwrap_or(options.conversations);
    let few = Options { conversations: WARM.0, users: WARM.1, ..options.clone() };
    let folders = (options.folder()?, options.folder()?);
    let many = Subject::open(options.store, folders.0.path(), options).await?;
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
    let (mut together, mut alone) = (Ratios::default(), Ratios::default());
    let mut turns = Turns { many, warm, sent: preload };
    for round in 1..=rounds {
        let singles;
        let full;
        (turns, singles) = turns.turn(&Options { in_flight: 1, ..options.clone() }).await?;
        alone.add(&singles);
        (turns, full) = turns.turn(options).await?;
        together.add(&full);
        for (what, measured) in [("cold", &full.cold), ("warm", &full.warm)] {
            report.add(format!("round {round}: {what}"), measured.per_second(), "msg/s");
        }
        report.add(format!("round {round}: ratio"), full.rate(), "x");
        if round == rounds {
            full.tell("", &mut report);
        }
    }
    for (name, ratios) in [
        ("median ratio", together.rate),
        ("p50, cold / warm", together.p50),
        ("p99, cold / warm", together.p99),
        ("one at a time: p50, cold / warm", alone.p50),
    ] {
        report.add(name, median(ratios).unwrap_or_default(), "x");
    }
    turns.many.close().await;
    turns.warm.close().await;
    Ok(report)
}

/// The two stores, and the number of messages that were sent to the large one.
struct Turns {
    many: Subject,
    warm: Subject,
    sent: usize,
}

impl Turns {
    async fn turn(mut self, options: &Options) -> anyhow::Result<(Self, Turn)> {
        self.many = self.many.reopened().await?;
        // A conversation with a message is in memory, so each gets only one.
        let until = Until { span: options.span(), calls: options.conversations };
        let cold = self.many.send_from(self.sent, options, until).await;
        self.sent += usize::try_from(cold.calls)?;
        let warm = self.warm.send(options, options.span()).await;
        Ok((self, Turn { cold, warm }))
    }
}
