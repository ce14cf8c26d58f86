//! Measurements of stores that were just opened: sends to conversations that are not in memory, and
//! the time to open.

use super::Effort;
use super::child::Figures;
use super::targets::{Target, Verdict, grouped};
use crate::measure::median;

/// The measured stores, with the target for the ratio of cold to warm sends.
const STORES: [(&str, f64); 4] = [("sqlite", 0.6), ("redb", 0.6), ("fjall", 0.6), ("postgres", 0.7)];
/// The stores of the measured hosts, with the same target.
const HOSTS: [(&str, f64); 2] = [("sqlite", 0.6), ("fjall", 0.7)];
/// The stores that are killed and opened again, with the target in milliseconds.
const OPENED: [(&str, f64); 3] = [("sqlite", 250.0), ("redb", 250.0), ("fjall", 1_000.0)];
/// The number of conversations per user.
const PER_PERSON: usize = 5;

/// The figures of stores that were just opened.
#[derive(Debug, Default)]
pub(crate) struct Cold {
    /// Sends, by store and number of conversations.
    pub(crate) sends: Vec<(String, usize, Figures)>,
    /// Sends through the host.
    pub(crate) http: Vec<(String, Figures)>,
    pub(crate) list: Figures,
    /// The time to open, by store.
    pub(crate) open: Vec<(String, Figures)>,
    opened: Opened,
}

/// The contents of the stores that are opened.
#[derive(Clone, Copy, Debug, Default)]
struct Opened {
    messages: usize,
    conversations: usize,
}

/// The numbers of conversations in a run.
pub(super) struct Sizes {
    among: Vec<usize>,
    behind_host: usize,
    opened: Opened,
}

impl Sizes {
    pub(super) fn of(effort: Effort) -> Self {
        let (among, opened) = match effort {
            Effort::Quick => (vec![1_000, 10_000], (20_000, 10_000)),
            Effort::Normal => (vec![10_000, 100_000], (1_000_000, 10_000)),
            Effort::Full => (vec![10_000, 100_000, 1_000_000], (5_000_000, 1_000_000)),
        };
        let behind_host = if effort == Effort::Quick { 4_000 } else { 40_000 };
        Self { among, behind_host, opened: Opened { messages: opened.0, conversations: opened.1 } }
    }

    /// The number of measurements of a run.
    pub(super) fn steps(&self) -> usize {
        STORES.len() * self.among.len() + HOSTS.len() + OPENED.len() + 1
    }
}

/// Makes the measurements.
pub(super) fn collect(
    sizes: &Sizes,
    (seconds, rounds): (&str, &str),
    step: impl Fn(&[&str]) -> Figures,
) -> Cold {
    let mut cold = Cold { opened: sizes.opened, ..Cold::default() };
    let people = |conversations: usize| (conversations / PER_PERSON).to_string();
    cold.list = step(&["list", "--cold", "--seconds", seconds]);
    for (store, _) in OPENED {
        let Opened { messages, conversations } = sizes.opened;
        let (messages, users) = (messages.to_string(), people(conversations));
        let conversations = conversations.to_string();
        let told = step(&[
            "open",
            "--store",
            store,
            "--preload",
            &messages,
            "--conversations",
            &conversations,
            "--users",
            &users,
        ]);
        cold.open.push((store.into(), told));
    }
    for (store, _) in STORES {
        for among in &sizes.among {
            let (conversations, users) = (among.to_string(), people(*among));
            let told = step(&[
                "cold",
                "--store",
                store,
                "--conversations",
                &conversations,
                "--users",
                &users,
                "--seconds",
                seconds,
                "--rounds",
                rounds,
            ]);
            cold.sends.push((store.into(), *among, told));
        }
    }
    for (store, _) in HOSTS {
        let conversations = sizes.behind_host.to_string();
        let told = step(&[
            "http",
            "--cold",
            "--store",
            store,
            "--conversations",
            &conversations,
            "--users",
            "400",
            "--seconds",
            seconds,
        ]);
        cold.http.push((store.into(), told));
    }
    cold
}

impl Cold {
    /// The targets.
    pub(super) fn verdicts(&self) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        let mut add = |what: String, target, measured: f64, spread| {
            verdicts.push(Verdict { what, target, measured, spread });
        };
        for (store, least) in STORES {
            // Of the measurements with the most conversations.
            let rows = self.sends.iter().filter(|(name, _, _)| name == store);
            let Some((_, among, told)) = rows.max_by_key(|(_, among, _)| *among) else { continue };
            let people = grouped(among / PER_PERSON);
            let what = format!("cold send among {} conversations of {people}, {store}", grouped(*among));
            let ratios = told.ratios();
            let spread = spread(&ratios);
            let rate = median(ratios).unwrap_or(f64::NAN);
            add(format!("{what}: / warm among 10,000"), Target::AtLeast(least, "×"), rate, spread);
            let alone = told.get("one at a time: p50, cold / warm");
            add(format!("{what}: one at a time, p50 / warm"), Target::AtMost(1.3, "×"), alone, None);
        }
        for (store, least) in HOSTS {
            let Some((_, told)) = self.http.iter().find(|(name, _)| name == store) else { continue };
            for way in ["WebSocket", "REST"] {
                let what = format!("cold send through the host just started, {way}, {store}");
                let (rate, p99) = (
                    told.get(&format!("{way}, median ratio")),
                    told.get(&format!("{way}, p99, cold / warm")),
                );
                add(format!("{what}: / warm"), Target::AtLeast(least, "×"), rate, None);
                add(format!("{what}: p99 / warm"), Target::AtMost(2.0, "×"), p99, None);
            }
        }
        let list = self.list.get("p99");
        let what = "50 most recent of 10,000 conversations, just opened, sqlite: p99";
        add(what.into(), Target::AtMost(10.0, "ms"), list, None);
        for (store, most) in OPENED {
            let Some((_, told)) = self.open.iter().find(|(name, _)| name == store) else { continue };
            let Opened { messages, conversations } = self.opened;
            let what = format!(
                "opening with {} messages of {} conversations after a kill, {store}",
                grouped(messages),
                grouped(conversations)
            );
            add(what, Target::AtMost(most, "ms"), told.get("after it was killed"), None);
        }
        verdicts
    }

    /// The lines of the plot: messages per second by number of conversations, for each store. Lines
    /// of cold sends come before those of warm sends.
    pub(super) fn lines(&self) -> Vec<(String, Vec<(f64, f64)>)> {
        let line = |store: &str, what: &str| {
            let rows = self.sends.iter().filter(|(name, _, _)| name == store);
            let points = rows.map(|(_, among, told)| (*among as f64, told.get(what))).collect();
            (format!("{store}, {what}"), points)
        };
        ["cold", "warm"].into_iter().flat_map(|what| STORES.map(|(store, _)| line(store, what))).collect()
    }
}

/// The lowest and the highest ratio.
fn spread(ratios: &[f64]) -> Option<(f64, f64)> {
    let low = ratios.iter().copied().reduce(f64::min)?;
    Some((low, ratios.iter().copied().reduce(f64::max)?))
}
