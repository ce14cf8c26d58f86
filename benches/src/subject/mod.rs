//! The subjects of measurements, to which messages are sent.

mod engine;
mod engine_fjall;
mod engine_redb;
mod engine_sqlite;
mod postgres_path;
mod seed_path;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dm_core::{KeyVersion, Service};

use crate::measure::{Measured, Until, closed_loop};
use crate::options::Options;
use crate::people::{self, Chat};
use crate::store::Data;
use engine::Engine;
use engine_sqlite::EngineSqlite;
pub(crate) use postgres_path::PostgresPath;
use seed_path::SeedPath;

/// The time limit for closing a service.
const CLOSED_WITHIN: Duration = Duration::from_secs(30);

/// The kinds of subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// The service with the SQLite store
    Sqlite,
    /// The service with the redb store
    Redb,
    /// The service with the fjall store
    Fjall,
    /// The service with the PostgreSQL store, on a server that is started for it
    Postgres,
    /// The service with the in-memory store
    Memory,
    /// An implementation by hand: a mutex, a transaction per statement, four statements per message
    SeedPath,
    /// An implementation by hand on PostgreSQL with a pool: a transaction per message
    PostgresPath,
    /// Bare SQLite, with the row writes of the SQLite store in transactions
    EngineSqlite,
    /// Bare redb, with the row writes of the redb store in transactions
    EngineRedb,
    /// Bare fjall, with the row writes of the fjall store in batches
    EngineFjall,
}

impl Kind {
    /// The bare engine of the store of this kind.
    pub(crate) const fn engine(self) -> Option<Self> {
        match self {
            Self::Sqlite => Some(Self::EngineSqlite),
            Self::Redb => Some(Self::EngineRedb),
            Self::Fjall => Some(Self::EngineFjall),
            _ => None,
        }
    }

    /// Its name on the command line.
    pub(crate) fn name(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self).expect("no kind is hidden");
        value.get_name().to_owned()
    }
}

/// A subject that stores messages durably.
pub(crate) enum Subject {
    Service { data: Data, service: Service, chats: Arc<Vec<Chat>> },
    SeedPath(Arc<SeedPath>),
    PostgresPath(Arc<PostgresPath>),
    EngineSqlite(Arc<EngineSqlite>),
    Engine(Arc<Engine>),
}

impl Subject {
    pub(crate) async fn open(kind: Kind, folder: &Path, options: &Options) -> anyhow::Result<Self> {
        let is_service = kind.engine().is_some() || matches!(kind, Kind::Postgres | Kind::Memory);
        anyhow::ensure!(is_service || !options.conditions, "only a service has conditions");
        Ok(match kind {
            Kind::SeedPath => Self::SeedPath(Arc::new(SeedPath::open(folder, options)?)),
            Kind::PostgresPath => Self::PostgresPath(Arc::new(PostgresPath::open(options).await?)),
            Kind::EngineSqlite => Self::EngineSqlite(Arc::new(EngineSqlite::open(folder, options)?)),
            Kind::EngineRedb => Self::Engine(Arc::new(engine_redb::open(folder, options)?)),
            Kind::EngineFjall => Self::Engine(Arc::new(engine_fjall::open(folder, options)?)),
            Kind::Sqlite | Kind::Redb | Kind::Fjall | Kind::Postgres | Kind::Memory => {
                let data = Data::new(kind, folder);
                let (conversations, users) = (options.conversations, options.users);
                let before =
                    if options.conditions { people::conditions(conversations, users) } else { Vec::new() };
                let service = data.builder_after(before).await?.start()?;
                let mut chats = people::open_chats(&service, conversations, users).await?;
                if options.conditions {
                    chats.iter_mut().for_each(|chat| chat.key_version = Some(KeyVersion::FIRST));
                }
                Self::Service { data, service, chats: Arc::new(chats) }
            }
        })
    }

    /// Closes a service, so that all data is in its files, and opens it again with nothing in
    /// memory.
    pub(crate) async fn reopened(self) -> anyhow::Result<Self> {
        let Self::Service { data, service, chats } = self else {
            anyhow::bail!("only services are opened again");
        };
        service.shutdown(CLOSED_WITHIN).await;
        drop(service);
        let service = data.reopened().await?.start()?;
        Ok(Self::Service { data, service, chats })
    }

    /// Sends messages for a span of time.
    pub(crate) async fn send(&self, options: &Options, span: Duration) -> Measured {
        self.send_from(0, options, span).await
    }

    /// Sends messages from number `first` on. Each goes to another conversation until all had one.
    /// Only services end after a number of calls.
    pub(crate) async fn send_from(
        &self,
        first: usize,
        options: &Options,
        until: impl Into<Until>,
    ) -> Measured {
        let (until, in_flight, payload): (Until, _, _) = (until.into(), options.in_flight, options.payload);
        let span = until.span;
        match self {
            Self::Service { service, chats, .. } => {
                let (service, chats) = (service.clone(), Arc::clone(chats));
                closed_loop(in_flight, until, move |n| {
                    let (service, chats, n) = (service.clone(), Arc::clone(&chats), first + n);
                    async move { people::send(&service, &chats[people::pick(n, chats.len())], n, payload).await }
                })
                .await
            }
            Self::SeedPath(path) => {
                let path = Arc::clone(path);
                closed_loop(in_flight, until, move |_| {
                    let path = Arc::clone(&path);
                    async move { tokio::task::spawn_blocking(move || path.send()).await.expect("it is stored") }
                })
                .await
            }
            Self::PostgresPath(path) => {
                let path = Arc::clone(path);
                closed_loop(in_flight, until, move |_| {
                    let path = Arc::clone(&path);
                    async move { path.send().await.expect("it is stored") }
                })
                .await
            }
            Self::EngineSqlite(engine) => {
                let (engine, batch) = (Arc::clone(engine), in_flight);
                tokio::task::spawn_blocking(move || engine.send(batch, span)).await.expect("it is stored")
            }
            Self::Engine(engine) => {
                let (engine, batch) = (Arc::clone(engine), in_flight);
                tokio::task::spawn_blocking(move || engine.send(batch, span)).await.expect("it is stored")
            }
        }
    }

    /// Stores messages before the measurement.
    pub(crate) async fn preload(&self, options: &Options, messages: usize) {
        match self {
            Self::Service { service, chats, .. } => {
                people::preload(service, chats, messages, options.payload).await;
            }
            Self::SeedPath(path) => {
                let path = Arc::clone(path);
                tokio::task::spawn_blocking(move || path.preload(messages)).await.expect("it is stored");
            }
            Self::PostgresPath(path) => path.preload(messages).await,
            Self::EngineSqlite(engine) => {
                let engine = Arc::clone(engine);
                tokio::task::spawn_blocking(move || engine.preload(messages)).await.expect("it is stored");
            }
            Self::Engine(engine) => {
                let engine = Arc::clone(engine);
                tokio::task::spawn_blocking(move || engine.preload(messages)).await.expect("it is stored");
            }
        }
    }

    /// Closes it, so that all data is in its files.
    pub(crate) async fn close(self) {
        if let Self::Service { service, .. } = self {
            service.shutdown(CLOSED_WITHIN).await;
        }
    }
}
