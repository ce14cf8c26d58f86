//! The load harness: what the stores and the service can do, beside what the bare engine can and what a host would write
//! by hand.
//!
//! ```text
//! cargo run --release -p dm-bench -- send --store sqlite
//! cargo run --release -p dm-bench -- compare sqlite seed-path
//! ```
//!
//! - [`options`]: what can be chosen. [`store`]: the stores. [`people`]: who writes to whom.
//! - [`subject`]: what is measured: a service over a store, the seed's path, bare engines.
//! - [`performance`]: the whole set, and the page that tells it.
//! - [`mod@attack`]: what people who mean harm do to a host, and how the others fare. [`wire`]: a
//!   client's side, bare.
//! - [`workload`]: what is done with it. [`measure`]: how it is counted. [`report`]: how it is told.

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

/// As the reference host, whose `main.rs` says why. All subjects have it, bare engines in Rust too;
/// SQLite has its own.
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
            // Dropped rather than killed, so that no server is left frozen and no disk mounted.
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
