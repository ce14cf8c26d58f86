//! A chat server with encrypted direct messages. Read it from top to bottom; then change it into your own.

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use dm_core::{Config, MemoryStore, Service};
use dm_store_fjall::FjallStore;
use dm_store_postgres::PostgresConfig;
use dm_store_redb::RedbStore;
use dm_store_sqlite::SqliteStore;
use mimalloc::MiMalloc;
use tokio::net::TcpListener;

use chat_host::accounts::{Accounts, Answering};
use chat_host::args::{Args, StoreKind};
use chat_host::host::Host;
use chat_host::origin::{Origin, Origins};
use chat_host::serve::{Limits, raise_descriptors, serve};
use chat_host::sessions::Sessions;
use chat_host::statement::Statements;
use chat_host::{database, router, shutdown, telemetry};

/// A server allocates for every message on one thread and frees on another. The one of glibc then
/// makes threads wait for each other: with fjall, sends are a quarter slower and the slowest in a
/// thousand takes three times as long.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How long queued messages may take to be committed once the host is asked to stop.
const COMMIT_BOUND: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat-host: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<()> {
    telemetry::log_to_stderr();
    let metrics = telemetry::record_metrics()?;
    let stop = shutdown::requested()?;
    let mut limits = raise_descriptors().map_or_else(Limits::default, Limits::within);
    if let Some(most) = args.connections_per_address {
        limits.connections_per_address = most;
    }
    let listener = listen(args.listen, "--listen").await?;
    let watched = match args.metrics_listen {
        Some(address) => Some(listen(address, "--metrics-listen").await?),
        None => None,
    };
    let (older, dialled) = (args.older_statements(), args.origin.first().cloned());
    let origins = Origins::known(args.origin, listener.local_addr()?)?;
    let statements = Arc::new(Statements { origins, older });

    // The host's own accounts, and where messages are kept. Opening blocks, and nobody waits yet.
    make_private_folder(&args.data)?;
    let in_data = |name: &str| args.data.join(name);
    let cannot_open = |name: &str| format!("cannot open {}", in_data(name).display());
    let no_database = "the PostgreSQL database cannot be used; say which with --postgres";
    let accounts = match args.store {
        StoreKind::Postgres => {
            let tls = args.database.tls(&args.postgres)?;
            Accounts::connect_with(&args.postgres, tls).await.context(no_database)?
        }
        _ => Accounts::open(in_data("accounts.db")).with_context(|| cannot_open("accounts.db"))?,
    };
    let service = match args.store {
        StoreKind::Memory => Service::builder(MemoryStore::new()),
        StoreKind::Sqlite => {
            Service::builder(SqliteStore::open(in_data("dm.db")).with_context(|| cannot_open("dm.db"))?)
        }
        StoreKind::Redb => {
            Service::builder(RedbStore::open(in_data("dm.redb")).with_context(|| cannot_open("dm.redb"))?)
        }
        StoreKind::Fjall => {
            Service::builder(FjallStore::open(in_data("dm")).with_context(|| cannot_open("dm"))?)
        }
        StoreKind::Postgres => {
            let tls = args.database.tls(&args.postgres)?;
            let config = PostgresConfig::default();
            let store = database::open_store(&args.postgres, tls, &config).await;
            Service::builder(store.context(no_database)?)
        }
    };

    // The direct-message service: it tells its connections of new messages, and other hosts where there are others, and
    // asks the accounts for names.
    let mut config = Config::default();
    config.ack_mode = args.ack_mode.into();
    config.poll_interval = Duration::from_secs(args.look_every);
    let service = match args.bus.connect(&service.hub()).await? {
        None => service,
        Some(nats) => service.notifier(nats),
    };
    let dm = service.directory(accounts.clone()).config(config).start()?;

    // Its calls, merged with the host's own.
    let direct_messages = dm_axum::router(dm.clone(), dm_axum::Options::default());
    let sessions = Sessions::default();
    let (answering, store) = (Answering::watch(accounts.clone()), args.store.name());
    let host = Host { dm: dm.clone(), accounts, answering, statements, sessions, metrics, store };
    let (app, metrics) = (router::router(host.clone(), direct_messages), router::metrics(host));
    say_where(listener.local_addr()?, dialled);
    let app = match watched {
        None => app.merge(metrics),
        Some(watched) => {
            tracing::info!(address = %watched.local_addr()?, "metrics are on an address of their own");
            // Until the process ends, so that the end can be watched, too.
            tokio::spawn(serve(watched, metrics, Limits::for_metrics(), std::future::pending()));
            app
        }
    };
    let stop = async {
        stop.await;
        tracing::info!("stopping");
        // Ends the WebSockets and commits what was queued; requests that come now are told to come again.
        dm.shutdown(COMMIT_BOUND).await;
    };
    serve(listener, app, limits, stop).await;
    tracing::info!("stopped");
    Ok(())
}

async fn listen(address: SocketAddr, option: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            anyhow::anyhow!(
                "{address} is taken by another program; choose another with {option}, port 0 for any"
            )
        }
        _ => anyhow::Error::new(error).context(format!("cannot listen on {address}")),
    })
}

/// Makes the folder, for its owner only, unless it is there.
fn make_private_folder(path: &Path) -> Result<()> {
    let mut folder = std::fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    let hint = || format!("cannot make the folder {}; choose another with --data", path.display());
    folder.create(path).with_context(hint)
}

/// Says on standard output where the host listens, and what to do next; clients dial the origin, if
/// one is named. Who started it may have closed that.
fn say_where(address: SocketAddr, dialled: Option<Origin>) {
    let server = match dialled {
        Some(origin) => format!(" --server {origin}"),
        None if address.port() == 8080 => String::new(),
        None => format!(" --server http://{address}"),
    };
    let text = format!(
        "listening on http://{address}

Try it, in two other terminals:
    cargo run --release -p chat -- --name ana{server}
    cargo run --release -p chat -- --name bo{server}
or watch a file go through a conversation and come back whole:
    cargo run --release -p chat -- replay README.md{server}
Ctrl-C stops the host.
"
    );
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
