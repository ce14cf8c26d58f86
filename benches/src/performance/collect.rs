//! The list of all measurements.

use std::cell::RefCell;

use indicatif::ProgressBar;

use super::Effort;
use super::child::{Figures, measure};
use super::cold::{self, Cold, Sizes};

/// The stores that are compared, in the order in which they are shown.
pub(crate) const STORES: [&str; 3] = ["sqlite", "redb", "fjall"];
/// The numbers of concurrent calls for which throughput is measured.
const IN_FLIGHT: [usize; 6] = [1, 4, 16, 64, 256, 512];
/// The numbers of sessions for which memory is measured.
const SESSIONS: [usize; 4] = [5_000, 10_000, 20_000, 40_000];

/// The number of measurements besides those of stores that were just opened.
const WARM_STEPS: usize = 54;

/// All measured figures.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// Each store by turns with the seed's path, and with its bare engine.
    pub(crate) with_seed: Vec<(String, Figures)>,
    pub(crate) with_engine: Vec<(String, Figures)>,
    /// One sender at a time, by turns with the bare engine committing single messages.
    pub(crate) one_by_one: Vec<(String, Figures)>,
    /// Sends, by subject and number in flight.
    pub(crate) sends: Vec<(String, usize, Figures)>,
    /// Sends with few and with many stored messages.
    pub(crate) stored: Vec<(String, usize, Figures)>,
    pub(crate) drain: Figures,
    pub(crate) history: Figures,
    pub(crate) history_depth: usize,
    pub(crate) list: Figures,
    /// The memory of sessions, by store and number of sessions.
    pub(crate) sessions: Vec<(String, usize, Figures)>,
    pub(crate) push: Figures,
    pub(crate) expire: Figures,
    pub(crate) http: Vec<(String, Figures)>,
    /// The host compared with Redis Streams, if Redis is installed.
    pub(crate) redis: Option<Figures>,
    pub(crate) cold: Cold,
    /// The arguments of the measurements that failed, whose figures are missing.
    pub(crate) failures: Vec<String>,
}

impl Measured {
    /// The sends of a subject with so many in flight.
    pub(crate) fn send(&self, subject: &str, in_flight: usize) -> Option<&Figures> {
        let found = self.sends.iter().find(|(name, flying, _)| name == subject && *flying == in_flight);
        found.map(|(_, _, told)| told)
    }
}

/// The durations of the measurements of a run.
struct Spans {
    seconds: String,
    rounds: String,
    stored: Vec<usize>,
    depth: usize,
    entries: usize,
    pending: usize,
}

impl Spans {
    fn of(effort: Effort) -> Self {
        let many = if effort == Effort::Full { 5_000_000 } else { 1_000_000 };
        match effort {
            Effort::Quick => Self {
                seconds: "1".into(),
                rounds: "1".into(),
                stored: vec![1_000, 20_000],
                depth: 20_000,
                entries: 20_000,
                pending: 10_000,
            },
            Effort::Normal | Effort::Full => Self {
                seconds: "4".into(),
                rounds: "3".into(),
                stored: vec![100_000, many],
                depth: many.min(1_000_000) + 50,
                entries: 1_000_000,
                pending: 100_000,
            },
        }
    }
}

/// Makes all measurements, one after the other, and shows the progress.
pub(crate) fn collect(effort: Effort) -> Measured {
    let spans = Spans::of(effort);
    let Spans { seconds, rounds, .. } = &spans;
    let mut measured = Measured::default();
    let sizes = Sizes::of(effort);
    let redis = dm_test_servers::redis::is_installed();
    let bar = crate::report::progress(WARM_STEPS + usize::from(redis) + sizes.steps(), "");
    let steps = Steps { bar, failures: RefCell::default() };
    let compare = |store: &str, other: &str, in_flight: &str| {
        steps.run(&[
            "compare",
            store,
            other,
            "--in-flight",
            in_flight,
            "--seconds",
            seconds,
            "--rounds",
            rounds,
        ])
    };
    for store in STORES {
        let engine = format!("engine-{store}");
        measured.with_seed.push((store.into(), compare(store, "seed-path", "256")));
        measured.with_engine.push((store.into(), compare(store, &engine, "256")));
        measured.one_by_one.push((store.into(), compare(store, &engine, "1")));
    }
    for subject in STORES.into_iter().chain(["seed-path"]) {
        for in_flight in IN_FLIGHT {
            let flying = in_flight.to_string();
            let told = steps.run(&["send", "--store", subject, "--in-flight", &flying, "--seconds", seconds]);
            measured.sends.push((subject.into(), in_flight, told));
        }
    }
    for store in STORES {
        for messages in &spans.stored {
            let preload = messages.to_string();
            let told = steps.run(&["send", "--store", store, "--preload", &preload, "--seconds", seconds]);
            measured.stored.push((store.into(), *messages, told));
        }
    }
    measured.drain = steps.run(&["drain", "--preload", &spans.pending.to_string()]);
    measured.history_depth = spans.depth;
    measured.history = steps.run(&["history", "--preload", &spans.depth.to_string(), "--seconds", seconds]);
    measured.list = steps.run(&["list", "--seconds", seconds]);
    for store in ["memory", "sqlite"] {
        for count in SESSIONS {
            let preload = count.to_string();
            let told = steps.run(&["sessions", "--store", store, "--preload", &preload]);
            measured.sessions.push((store.into(), count, told));
        }
    }
    measured.push = steps.run(&["push", "--seconds", seconds]);
    measured.expire = steps.run(&["expire", "--preload", &spans.entries.to_string(), "--seconds", seconds]);
    for store in ["sqlite", "fjall"] {
        let pending = spans.pending.to_string();
        let told = steps.run(&["http", "--store", store, "--preload", &pending, "--seconds", seconds]);
        measured.http.push((store.into(), told));
    }
    if redis {
        measured.redis = Some(steps.run(&["redis", "--seconds", seconds]));
    }
    measured.cold = cold::collect(&sizes, (seconds, rounds), |arguments| steps.run(arguments));
    steps.bar.finish_and_clear();
    measured.failures = steps.failures.into_inner();
    measured
}

/// The measurements of a run, one after the other.
struct Steps {
    bar: ProgressBar,
    failures: RefCell<Vec<String>>,
}

impl Steps {
    /// Makes a measurement. If it fails, its figures are not measured and the others still are.
    fn run(&self, arguments: &[&str]) -> Figures {
        self.bar.set_message(arguments.join(" "));
        self.bar.tick();
        let told = self.bar.suspend(|| measure(arguments));
        self.bar.inc(1);
        told.unwrap_or_else(|error| {
            self.bar.suspend(|| eprintln!("{error:#}"));
            self.failures.borrow_mut().push(arguments.join(" "));
            Figures::default()
        })
    }
}
