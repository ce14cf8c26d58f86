//! The targets for the figures.

use super::child::Figures;
use super::collect::{Measured, STORES};
use crate::measure::median;

/// A target, and the measured figure.
pub(crate) struct Verdict {
    pub(crate) what: String,
    pub(crate) target: Target,
    pub(crate) measured: f64,
    /// The lowest and highest figure of single rounds.
    pub(crate) spread: Option<(f64, f64)>,
}

/// A bound, with its unit.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64, &'static str),
    AtMost(f64, &'static str),
}

impl Verdict {
    /// Whether the target is met. A figure that was not measured does not meet it.
    pub(crate) fn met(&self) -> bool {
        match self.target {
            Target::AtLeast(bound, _) => self.measured >= bound,
            Target::AtMost(bound, _) => self.measured <= bound,
        }
    }
}

/// All targets. Unless they say otherwise: 256 in flight, 512 bytes, 10,000 conversations, durable
/// before the answer.
pub(crate) fn verdicts(measured: &Measured) -> Vec<Verdict> {
    use Target::{AtLeast, AtMost};
    let mut verdicts = Vec::new();
    let mut add = |what: String, target, figure| {
        verdicts.push(Verdict { what, target, measured: figure, spread: None });
    };

    // Ratios come first, then bytes on disk and slopes of memory.
    let rate = |told: &Figures| told.get("durable sends");
    for store in STORES {
        let many = measured.stored.iter().filter(|(name, _, _)| name == store).collect::<Vec<_>>();
        if let [(_, few, less), (_, more, full)] = many[..] {
            let what =
                format!("send, {store}: with {} messages stored / with {}", grouped(*more), grouped(*few));
            add(what, AtLeast(0.8, "×"), rate(full) / rate(less));
        }
    }
    for store in STORES {
        let (Some(told), Some(full)) = (measured.send(store, 256), measured.send(store, 512)) else {
            continue;
        };
        let what = format!(
            "send, {store}: p99 / median commit of a full batch ({:.0} writes)",
            full.get("median batch")
        );
        add(what, AtMost(3.0, "×"), told.get("p99") / full.get("median commit"));
    }
    let history = measured.history.beginning("");
    let (first, last) =
        (history.get("1 back, p50"), history.iter().filter(|(name, _)| name.ends_with(" back, p50")));
    let deepest = last.max_by_key(|(name, _)| name.split(' ').next().and_then(|n| n.parse::<usize>().ok()));
    let ratio = match (first, deepest) {
        (Some(first), Some((_, deepest))) => deepest / first,
        _ => f64::NAN,
    };
    add(format!("history page {} back / newest", grouped(measured.history_depth)), AtMost(1.5, "×"), ratio);
    let expiry = measured.expire.get("p99 with / without");
    add("p99 of sends while a million entries expire / without".into(), AtMost(1.5, "×"), expiry);
    let drained = measured.drain.get("delivered in order");
    add(
        "backlog of 100,000 in order, with acknowledgements, sqlite".into(),
        AtLeast(150_000.0, "msg/s"),
        drained,
    );
    add("memory that grows meanwhile".into(), AtMost(16.0, "MiB"), measured.drain.get("memory grew by"));
    add(
        "50 most recent of 10,000 conversations, sqlite: p99".into(),
        AtMost(5.0, "ms"),
        measured.list.get("p99"),
    );
    let push = measured.push.get("arrived after the answer, p99");
    add("push: p99 beyond the commit".into(), AtMost(1.0, "ms"), push);
    for store in ["memory", "sqlite"] {
        let what = format!("idle session in process, {store} store (slope)");
        add(what, AtMost(2_048.0, "bytes"), slope(&sessions(measured, store)));
    }
    for (store, told) in &measured.http {
        let sends = if store == "fjall" { 30_000.0 } else { 18_000.0 };
        let figure = |name: &str| told.get(name);
        if store == "sqlite" {
            let posts = "POST /api/dm/messages";
            add(format!("{posts}, {store}"), AtLeast(12_000.0, "/s"), figure(posts));
            add(format!("{posts}, {store}: p99"), AtMost(50.0, "ms"), figure("POST /api/dm/messages, p99"));
            add(
                "backlog over WebSocket, sqlite".into(),
                AtLeast(40_000.0, "msg/s"),
                figure("backlog over WebSocket"),
            );
            add(
                "waiting WebSocket, in the host".into(),
                AtMost(24_576.0, "bytes"),
                figure("waiting WebSocket"),
            );
        }
        add(format!("sends over WebSocket, {store}"), AtLeast(sends, "/s"), figure("sends over WebSocket"));
    }
    for (store, most) in [("sqlite", 800.0), ("fjall", 700.0)] {
        let told = measured.stored.iter().rev().find(|(name, _, _)| name == store);
        let disk = told.map_or(f64::NAN, |(_, _, told)| told.get("on disk"));
        add(format!("disk per message of 512 bytes, {store}"), AtMost(most, "bytes"), disk);
    }

    if let Some(told) = &measured.redis {
        for store in ["sqlite", "fjall"] {
            let what = format!("sends over 256 WebSockets, {store}: / Redis Streams, appendfsync always");
            add(what, AtLeast(1.0, "×"), told.get(&format!("256 in flight: {store} / redis")));
        }
    }

    let mut ratios = Vec::new();
    for (what, least, rows) in [
        ("send, {}: / the seed's path", None, &measured.with_seed),
        ("send, {}: / its bare engine", Some(0.8), &measured.with_engine),
        ("one sender at a time, {}: / bare single commits", Some(0.9), &measured.one_by_one),
    ] {
        for (store, told) in rows {
            let seed = match store.as_str() {
                "sqlite" => 20.0,
                "redb" => 12.0,
                _ => 40.0,
            };
            let rounds = told.ratios();
            let (low, high) =
                rounds.iter().fold((f64::MAX, 0.0_f64), |(low, high), r| (low.min(*r), high.max(*r)));
            ratios.push(Verdict {
                what: what.replace("{}", store),
                target: AtLeast(least.unwrap_or(seed), "×"),
                measured: median(rounds).unwrap_or(f64::NAN),
                spread: Some((low, high)),
            });
        }
    }
    ratios.append(&mut verdicts);
    ratios.append(&mut measured.cold.verdicts());
    ratios
}

/// The bytes that numbers of sessions took.
pub(crate) fn sessions(measured: &Measured, store: &str) -> Vec<(f64, f64)> {
    let rows = measured.sessions.iter().filter(|(name, _, _)| name == store);
    rows.map(|(_, count, told)| (*count as f64, *count as f64 * told.get("memory"))).collect()
}

/// The slope of the least-squares line: the cost of one more.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / n, y + point.1 / n));
    let (top, bottom) = points.iter().fold((0.0, 0.0), |(top, bottom), point| {
        (top + (point.0 - x) * (point.1 - y), bottom + (point.0 - x) * (point.0 - x))
    });
    top / bottom
}

/// A number with commas between thousands.
pub(crate) fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([1, 100, 1_000, 1_234_567].map(grouped), ["1", "100", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_slope_forgets_what_is_there_without_any() {
        let slope = slope(&[(10.0, 1_030.0), (20.0, 1_060.0), (40.0, 1_120.0)]);
        assert!((slope - 3.0).abs() < 1e-9, "{slope}");
    }

    #[test]
    fn a_figure_that_was_not_measured_meets_no_target() {
        let verdict =
            |target| Verdict { what: String::new(), target, measured: f64::NAN, spread: None }.met();
        assert!(!verdict(Target::AtLeast(0.0, "")) && !verdict(Target::AtMost(1e9, "")));
    }
}
