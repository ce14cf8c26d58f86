//! Logs and metrics: the subscriber for `tracing` and the recorder for `metrics`.

use std::io::IsTerminal;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The interval of two tasks: the upkeep of the recorder, which bounds its memory without scrapes,
/// and the reading of the figures of the process.
const UPKEEP: Duration = Duration::from_secs(5);

const COMMIT_SECONDS: &[f64] = &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0];
const BATCH_SIZE: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Writes logs to standard error, filtered by `RUST_LOG`. Without `RUST_LOG`, the level is info.
pub fn log_to_stderr() {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    let in_color = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(in_color).init();
}

/// Installs the recorder of the metrics. Must be called on a tokio runtime, before the service
/// starts.
///
/// # Errors
/// If another recorder is installed.
pub fn record_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("dm_commit_seconds".to_owned()), COMMIT_SECONDS)?
        .set_buckets_for_metric(Matcher::Full("dm_batch_size".to_owned()), BATCH_SIZE)?
        .install_recorder()?;
    let (recorded, process) = (handle.clone(), Collector::default());
    tokio::spawn(async move {
        let mut timer = tokio::time::interval(UPKEEP);
        loop {
            timer.tick().await;
            recorded.run_upkeep();
            // The collector lists all open files, possibly thousands. So it does not run for each
            // scrape.
            process.collect();
        }
    });
    Ok(handle)
}
