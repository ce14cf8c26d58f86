//! A chat server with encrypted direct messages. It is meant to be read from top to bottom and to
//! be adapted.

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

use chat_host::accounts::{Accounts, AccountsHealth};
use chat_host::args::{Args, StoreKind};
use chat_host::host::Host;
use chat_host::logins::Logins;
use chat_host::origin::{Origin, Origins};
use chat_host::serve::{Limits, raise_descriptors, serve};
use chat_host::statement::Statements;
use chat_host::{database, router, shutdown, telemetry};

/// A server allocates memory for every message on one thread and frees it on another. The allocator
/// of glibc then makes threads wait for each other. With fjall, sends are a quarter slower, and the
/// slowest of a thousand sends takes three times as long.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The limit for committing queued messages once the host is asked to stop.
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
    if let Some(limit) = args.connections_per_address {
        limits.connections_per_address = limit;
    }
    let listener = listen(args.listen, "--listen").await?;
    let metrics_listener = match args.metrics_listen {
        Some(address) => Some(listen(address, "--metrics-listen").await?),
        None => None,
    };
    let (legacy, origin) = (args.legacy_statements(), args.origin.first().cloned());
    let origins = Origins::known(args.origin, listener.local_addr()?)?;
    let statements = Arc::new(Statements { origins, legacy });

    // Open the accounts and the message store. Opening blocks; no request waits at this time.
    make_private_folder(&args.data)?;
    let in_data = |name: &str| args.data.join(name);
    let cannot_open = |name: &str| format!("cannot open {}", in_data(name).display());
    let no_database = "the PostgreSQL database cannot be used; set it with --postgres";
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

    // The direct-message service. It notifies its connections, and other hosts if there are any, of
    // new messages, and reads display names from the accounts.
    let mut config = Config::default();
    config.ack_mode = args.ack_mode.into();
    config.poll_interval = Duration::from_secs(args.look_every);
    let service = match args.bus.connect(&service.hub()).await? {
        None => service,
        Some(nats) => service.notifier(nats),
    };
    let dm = service.directory(accounts.clone()).config(config).start()?;

    // The calls of the service, merged with the host's own.
    let direct_messages = dm_axum::router(dm.clone(), dm_axum::Options::default());
    let logins = Logins::default();
    let (accounts_health, store) = (AccountsHealth::monitor(accounts.clone()), args.store.name());
    let host = Host { dm: dm.clone(), accounts, accounts_health, statements, logins, metrics, store };
    let (app, metrics) = (router::router(host.clone(), direct_messages), router::metrics(host));
    print_address(listener.local_addr()?, origin);
    let app = match metrics_listener {
        None => app.merge(metrics),
        Some(listener) => {
            tracing::info!(address = %listener.local_addr()?, "metrics are on an address of their own");
            // Metrics are served until the process ends, so that the shutdown can be observed.
            tokio::spawn(serve(listener, metrics, Limits::for_metrics(), std::future::pending()));
            app
        }
    };
    let stop = async {
        stop.await;
        tracing::info!("stopping");
        // Ends the WebSockets and commits the queued messages. New requests get 503.
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

/// Makes the folder, accessible to its owner only, unless it exists.
fn make_private_folder(path: &Path) -> Result<()> {
    let mut folder = std::fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    let hint = || format!("cannot make the folder {}; choose another with --data", path.display());
    folder.create(path).with_context(hint)
}

/// Prints the address of the host and the next steps on standard output. If an origin is
/// configured, clients connect to this origin. A closed standard output is no error.
fn print_address(address: SocketAddr, origin: Option<Origin>) {
    let server = match origin {
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
