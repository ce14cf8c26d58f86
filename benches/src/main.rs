//! The load generator: it measures the stores and the service, and compares them with the bare
//! engine and with an implementation by hand.
//!
//! ```text
//! cargo run --release -p dm-bench -- send --store sqlite
//! cargo run --release -p dm-bench -- compare sqlite seed-path
//! ```
//!
//! - [`options`]: the command line. [`store`]: the stores. [`people`]: users and conversations.
//! - [`subject`]: the subjects of measurements: a service with a store, the seed's path, bare
//!   engines.
//! - [`performance`]: all measurements, and the page with their figures.
//! - [`mod@attack`]: attacks on a host, and their effect on unrelated users. [`wire`]: a minimal
//!   client.
//! - [`workload`]: the measurements. [`measure`]: counting and timing. [`report`]: the output of
//!   figures.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a program that measures: it ends at the first failure"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "its numbers are small"
)]

mod attack;
mod host;
mod machine;
mod measure;
mod options;
mod people;
mod performance;
mod report;
mod store;
mod subject;
mod wire;
mod workload;

use clap::Parser;
use mimalloc::MiMalloc;

use options::Command;
use performance::Effort;

/// The allocator of the reference host, whose `main.rs` gives the reason. All subjects use it, bare
/// engines in Rust as well; SQLite has its own.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> anyhow::Result<()> {
    let command = Command::parse();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(command))
}

async fn run(command: Command) -> anyhow::Result<()> {
    let (report, json) = match command {
        Command::Send(options) => (workload::send::run(&options).await?, options.json),
        Command::Drain(options) => (workload::drain::run(&options).await?, options.json),
        Command::Push(options) => (workload::push::run(&options).await?, options.json),
        Command::History(options) => (workload::history::run(&options).await?, options.json),
        Command::List(options) => (workload::list::run(&options).await?, options.json),
        Command::Sessions(options) => (workload::sessions::run(&options).await?, options.json),
        Command::Expire(options) => (workload::expire::run(&options).await?, options.json),
        Command::Http(options) if options.cold => (workload::http_cold::run(&options).await?, options.json),
        Command::Http(options) => (workload::http::run(&options).await?, options.json),
        Command::Redis(options) => (workload::redis::run(&options).await?, options.json),
        Command::Connections(options) => (workload::connections::run(&options).await?, options.json),
        Command::Attack(options) => {
            // The future is dropped and the process not killed, so that no server stays frozen and
            // no disk mounted.
            tokio::select! {
                done = attack::run(&options) => return done,
                _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
            }
        }
        Command::Open(options) => (workload::open::run(&options).await?, options.json),
        Command::Cluster(options) => (workload::cluster::run(&options).await?, options.json),
        Command::Cold { rounds, options } => (workload::cold::run(rounds, &options).await?, options.json),
        Command::Compare { one, other, rounds, options } => {
            (workload::compare::run(one, other, rounds, &options).await?, options.json)
        }
        Command::Report { out, quick, full } => {
            let effort = match (quick, full) {
                (true, _) => Effort::Quick,
                (false, true) => Effort::Full,
                (false, false) => Effort::Normal,
            };
            return performance::run(&out, effort);
        }
        Command::Fill { folder, options } => return workload::open::fill(&folder, &options).await,
    };
    report.print(json)
}
