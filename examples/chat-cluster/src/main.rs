//! A cluster on one machine: `cargo run --release -p chat-cluster`. With `--kill`, its parts are
//! killed one after the other.

use std::process::ExitCode;

use anyhow::Result;
use chat_cluster::cluster::Cluster;
use chat_cluster::{demo, trial};
use clap::Parser;

/// Three chat hosts on one PostgreSQL and one NATS server, in a temporary folder, on free ports.
/// Needs the Debian packages `postgresql` and `nats-server`.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Kill hosts, NATS and the database one after the other while users send messages, restart
    /// each, and report lost messages
    #[arg(long)]
    kill: bool,
    /// Number of kills
    #[arg(long, default_value_t = 50, requires = "kill")]
    kills: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    // The processes end when this future is dropped, also after Ctrl-C.
    tokio::select! {
        done = run(&args) => done.unwrap_or_else(|error| {
            eprintln!("chat-cluster: {error:#}");
            ExitCode::FAILURE
        }),
        _ = tokio::signal::ctrl_c() => {
            println!("stopping");
            ExitCode::SUCCESS
        }
    }
}

async fn run(args: &Args) -> Result<ExitCode> {
    let report = |line: &str| println!("{line}");
    let mut cluster = Cluster::start(report).await?;
    for (url, n) in cluster.urls().iter().zip(1..) {
        println!("host {n} listens on {url}");
    }
    if args.kill {
        let verdict = trial::run(&mut cluster, args.kills, report).await?;
        println!("{} kills, {verdict}", args.kills);
        return Ok(if verdict.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    demo::run(&cluster, report).await?;
    println!("\nTry it, in two other terminals:");
    for (url, name) in cluster.urls().iter().zip(["ana", "bo"]) {
        println!("    cargo run --release -p chat -- --name {name} --server {url}");
    }
    println!("Ctrl-C stops everything.");
    std::future::pending().await
}
