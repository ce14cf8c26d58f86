//! Counting and timing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tokio::task::JoinSet;

/// The number of calls, their latencies, and the time that they took together.
pub(crate) struct Measured {
    pub(crate) calls: u64,
    pub(crate) took: Duration,
    /// The latencies, in nanoseconds.
    pub(crate) latency: Histogram<u64>,
}

impl Measured {
    pub(crate) fn per_second(&self) -> f64 {
        self.calls as f64 / self.took.as_secs_f64()
    }

    pub(crate) fn millis(&self, quantile: f64) -> f64 {
        millis(&self.latency, quantile)
    }
}

/// A quantile of nanoseconds, in milliseconds.
pub(crate) fn millis(latency: &Histogram<u64>, quantile: f64) -> f64 {
    latency.value_at_quantile(quantile) as f64 / 1e6
}

/// A histogram of up to ten minutes, in nanoseconds, with three significant digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000_000, 3).expect("these bounds are good")
}

pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The end of a loop of calls: after a span of time or a number of calls, whichever comes first.
#[derive(Clone, Copy)]
pub(crate) struct Until {
    pub(crate) span: Duration,
    pub(crate) calls: usize,
}

impl From<Duration> for Until {
    fn from(span: Duration) -> Self {
        Self { span, calls: usize::MAX }
    }
}

/// Makes calls until the end, so many at a time. Each begins when an earlier one has ended.
pub(crate) async fn closed_loop<F>(
    in_flight: usize,
    until: impl Into<Until>,
    call: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Measured
where
    F: Future<Output = ()> + Send + 'static,
{
    let until = until.into();
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..in_flight {
        let (next, call) = (Arc::clone(&next), call.clone());
        tasks.spawn(async move {
            let mut latency = histogram();
            while began.elapsed() < until.span {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= until.calls {
                    break;
                }
                let asked = Instant::now();
                call(n).await;
                latency.saturating_record(nanos(asked.elapsed()));
            }
            latency
        });
    }
    let mut latency = histogram();
    while let Some(part) = tasks.join_next().await {
        latency.add(part.expect("a call failed")).expect("alike");
    }
    Measured { calls: latency.len(), took: began.elapsed(), latency }
}

/// The metrics that the service records about its commits.
pub(crate) struct Commits(Snapshotter);

/// The median commit.
pub(crate) struct Commit {
    pub(crate) writes: f64,
    pub(crate) millis: f64,
}

impl Commits {
    /// Starts recording; only once per process.
    pub(crate) fn record() -> anyhow::Result<Self> {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        recorder.install().map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(Self(snapshotter))
    }

    /// The median since the last call; `None` if there were no commits.
    pub(crate) fn median(&self) -> Option<Commit> {
        let (mut writes, mut seconds) = (Vec::new(), Vec::new());
        for (key, _, _, value) in self.0.snapshot().into_vec() {
            if let DebugValue::Histogram(values) = value {
                let values = values.into_iter().map(|value| value.0);
                match key.key().name() {
                    "dm_batch_size" => writes.extend(values),
                    "dm_commit_seconds" => seconds.extend(values),
                    _ => {}
                }
            }
        }
        Some(Commit { writes: median(writes)?, millis: 1e3 * median(seconds)? })
    }
}

/// The median of some numbers.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
