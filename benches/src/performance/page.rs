//! The page.

use std::fmt::Write as _;

use super::Effort;
use super::child::Figures;
use super::collect::{Measured, STORES};
use super::targets::{Target, Verdict, grouped};

/// The table of targets.
pub(crate) fn table(verdicts: &[Verdict]) -> String {
    let mut table = String::from("| | target | measured | |\n|---|---|---|---|\n");
    for verdict in verdicts {
        let (sign, bound, unit) = match verdict.target {
            Target::AtLeast(bound, unit) => ('≥', bound, unit),
            Target::AtMost(bound, unit) => ('≤', bound, unit),
        };
        let spread = match verdict.spread {
            Some((low, high)) => format!(" ({} to {})", number(low), number(high)),
            None => String::new(),
        };
        let met = if verdict.met() { "met" } else { "**missed**" };
        let (bound, measured) = (number(bound), number(verdict.measured));
        let _ = writeln!(table, "| {} | {sign} {bound} {unit} | {measured}{spread} | {met} |", verdict.what);
    }
    table
}

/// The page, as Markdown.
pub(crate) fn write(
    measured: &Measured,
    verdicts: &[Verdict],
    about: &[(&'static str, String)],
    effort: Effort,
) -> String {
    let mut page = String::from(
        "# Performance\n\n`cargo xtask bench` measures all of this on your machine, in about twenty minutes, or an \
         hour with `--full`, and writes this page. Machines differ and are noisy, so compare ratios within one run: two subjects are measured by turns, and the ratio \
         is the median of the rounds, followed by the lowest and the highest.\n\n",
    );
    if effort == Effort::Quick {
        page.push_str("**A quick run: it proves that everything runs; its figures are not meaningful.**\n\n");
    }
    page.push_str("| made on | |\n|---|---|\n");
    for (name, value) in about {
        let _ = writeln!(page, "| {name} | {value} |");
    }
    let met = verdicts.iter().filter(|verdict| verdict.met()).count();
    let _ = write!(
        page,
        "\n## Targets\n\n{met} of {} are met. Unless a row says otherwise: 256 sends in flight, 512 bytes, 10,000 conversations \
         among 2,000 users, durable before the answer. The reasons for missed targets are in \
         [performance-notes.md](performance-notes.md). The seed's path is a common implementation by hand: one \
         SQLite connection behind a mutex, a transaction per statement, four statements per message. A bare engine makes \
         the store's row writes for 256 messages per transaction, with a core to itself. The load runs on the same cores.\n\n{}\n",
        verdicts.len(),
        table(verdicts)
    );
    page.push_str(
        "## Sends\n\n![Messages per second against sends in flight](performance/in-flight.svg)\n\n\
         ![Latency of a send](performance/latency.svg)\n\n![Messages per second against messages stored]\
         (performance/stored.svg)\n\n",
    );
    sends(&mut page, measured);
    page.push_str(
        "\n## Cold conversations\n\nThe store was just opened, and each message goes to a conversation and to users that are not in \
         memory. Warm sends go to 10,000 conversations of 2,000 users, all in memory. A user has ten conversations.\n\n\
         ![Messages per second against conversations](performance/cold.svg)\n\n",
    );
    cold(&mut page, measured);
    beside_redis(&mut page, measured);
    page.push_str(
        "\n## Sessions\n\n![Memory of sessions that wait](performance/sessions.svg)\n\n## All figures\n\n",
    );
    figures(&mut page, measured);
    page
}

fn sends(page: &mut String, measured: &Measured) {
    page.push_str(
        "| 256 in flight | msg/s | p50 ms | p99 ms | p99.9 ms | writes per commit | bytes on disk per message |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for subject in STORES.into_iter().chain(["seed-path"]) {
        let Some(told) = measured.send(subject, 256) else { continue };
        let _ = write!(page, "| {subject} |");
        for name in ["durable sends", "p50", "p99", "p99.9", "median batch", "on disk"] {
            let figure = told.get(name);
            let shown = if figure.is_nan() { "1".to_owned() } else { number(figure) };
            let _ = write!(page, " {shown} |");
        }
        page.push('\n');
    }
}

fn cold(page: &mut String, measured: &Measured) {
    page.push_str(
        "| 256 in flight | conversations | cold msg/s | warm msg/s | cold / warm | p50 | p99 | one at a time, p50 |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for (store, among, told) in &measured.cold.sends {
        let _ = write!(page, "| {store} | {} |", grouped(*among));
        for name in [
            "cold",
            "warm",
            "median ratio",
            "p50, cold / warm",
            "p99, cold / warm",
            "one at a time: p50, cold / warm",
        ] {
            let _ = write!(page, " {} |", number(told.get(name)));
        }
        page.push('\n');
    }
}

fn beside_redis(page: &mut String, measured: &Measured) {
    page.push_str("\n## Redis Streams\n\n");
    let Some(told) = &measured.redis else {
        page.push_str("Not measured: `redis-server` is not installed.\n");
        return;
    };
    page.push_str(
        "Redis appends each message to the stream of its conversation and syncs before it answers (`appendfsync always`); the \
         reference host checks the sender, stores the message for both users and notifies them. Clients are on the same machine, \
         each with its own connection and one message in flight; medians of three turns.\n\n\
         | in flight | Redis msg/s | sqlite | / Redis | fjall | / Redis |\n|---|---|---|---|---|---|\n",
    );
    for in_flight in ["1", "64", "256"] {
        let _ = write!(page, "| {in_flight} |");
        for what in ["redis", "sqlite", "sqlite / redis", "fjall", "fjall / redis"] {
            let _ = write!(page, " {} |", number(told.get(&format!("{in_flight} in flight: {what}"))));
        }
        page.push('\n');
    }
}

fn figures(page: &mut String, measured: &Measured) {
    let named = |rows: &'_ [(String, Figures)]| rows.iter().map(|(_, told)| told.clone()).collect::<Vec<_>>();
    let counted = |rows: &'_ [(String, usize, Figures)]| {
        rows.iter().map(|(_, _, told)| told.clone()).collect::<Vec<_>>()
    };
    let one = |told: &Figures| vec![told.clone()];
    for told in [
        named(&measured.with_seed),
        named(&measured.with_engine),
        named(&measured.one_by_one),
        counted(&measured.stored),
        one(&measured.drain),
        one(&measured.history),
        one(&measured.list),
        counted(&measured.sessions),
        one(&measured.push),
        one(&measured.expire),
        named(&measured.http),
        measured.redis.iter().cloned().collect(),
        named(&measured.cold.open),
        counted(&measured.cold.sends),
        named(&measured.cold.http),
        one(&measured.cold.list),
    ]
    .into_iter()
    .flatten()
    {
        let figures: Vec<String> =
            told.beginning("").into_iter().map(|(name, value)| format!("{name} {}", number(value))).collect();
        let _ = writeln!(page, "- {}: {}", told.workload, figures.join("; "));
    }
}

/// A figure with a sensible number of digits.
fn number(value: f64) -> String {
    if value.is_nan() {
        "not measured".into()
    } else if value.abs() >= 1_000.0 {
        grouped(value.round() as usize)
    } else if value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}
