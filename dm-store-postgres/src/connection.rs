//! Connections, and what is set on each.

use std::future::Future;
use std::num::NonZeroUsize;
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Status,
};
use dm_core::store::{StoreError, StoreErrorKind};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Config, Socket};

use crate::config::PostgresConfig;
use crate::error::{Fault, from_postgres};

/// Takes the connection parameters and adds what the store needs.
///
/// Settings go with the start of each session, which costs no round trip.
///
/// The planner is told to look rows up: every statement names its rows by key, and a plan that was
/// made while the tables were small would otherwise still scan them when they are large. The order
/// in which [`RESERVE_ENTRIES`](crate::write) takes its locks rests on that, too: with neither hash
/// nor merge joins a loop is left.
pub(crate) fn parameters(parameters: &str, config: &PostgresConfig) -> Result<Config, StoreError> {
    // The parser's error may quote the text, which holds a password.
    let mut parsed: Config = parameters
        .parse()
        .map_err(|_| StoreError::new(StoreErrorKind::Engine, "the connection parameters are not valid"))?;
    let millis = |span: Duration| span.as_millis();
    let options = format!(
        "{} -c synchronous_commit=on -c default_transaction_isolation=read\\ committed -c statement_timeout={} \
         -c lock_timeout={} -c idle_in_transaction_session_timeout={} -c enable_seqscan=off \
         -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off -c search_path={}",
        parsed.get_options().unwrap_or_default(),
        millis(config.statement_timeout),
        millis(config.lock_timeout),
        // A node that vanished in the middle of a batch must not hold its rows for long.
        millis(config.network_timeout.saturating_mul(2)),
        // Every statement names its tables without a schema.
        config.schema.as_str(),
    );
    parsed.options(options.trim()).connect_timeout(config.connect_timeout);
    // Asked on each new connection: after a failover an address may lead to a standby.
    parsed.target_session_attrs(TargetSessionAttrs::ReadWrite);
    parsed.tcp_user_timeout(config.network_timeout).keepalives_idle(config.network_timeout);
    if parsed.get_application_name().is_none() {
        parsed.application_name("dm-store-postgres");
    }
    Ok(parsed)
}

/// A connection that was not used for longer is asked whether it is alive before it is used again: a firewall may have
/// forgotten it. One that was in use a moment ago costs no round trip for that.
const CHECK_AFTER_IDLE: Duration = Duration::from_secs(1);

/// Connections for one kind of work, in a pool. Clones share them.
#[derive(Clone)]
pub(crate) struct Connections {
    pool: Pool,
    /// How long getting one may take, with all that is tried for it.
    acquire_timeout: Duration,
    answer_timeout: Duration,
}

impl Connections {
    /// Connections, up to so many, none of which is made yet. They are the store's alone and each
    /// statement leaves nothing behind, so none is cleaned between two uses.
    pub(crate) fn new<T>(
        parameters: Config,
        tls: T,
        max: NonZeroUsize,
        config: &PostgresConfig,
    ) -> Result<Self, StoreError>
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + Sync,
        T::TlsConnect: Send + Sync,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let recycling_method = RecyclingMethod::Fast;
        let check_timeout = config.connect_timeout;
        let check = Hook::async_fn(move |client: &mut ClientWrapper, used| {
            let is_fresh = used.last_used() < CHECK_AFTER_IDLE;
            Box::pin(async move {
                if is_fresh {
                    return Ok(());
                }
                match tokio::time::timeout(check_timeout, client.check_connection()).await {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(error)) => Err(HookError::Backend(error)),
                    Err(_) => Err(HookError::message("no answer in time")),
                }
            })
        });
        let manager = Manager::from_config(parameters, tls, ManagerConfig { recycling_method });
        let pool = Pool::builder(manager)
            .pre_recycle(check)
            .max_size(max.get())
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(config.wait_timeout))
            .create_timeout(Some(config.connect_timeout))
            .build()
            .map_err(|error| StoreError::new(StoreErrorKind::Engine, error))?;
        // Each idle connection that a silent server keeps would take its time on its own.
        let acquire_timeout = config.wait_timeout.saturating_add(config.connect_timeout);
        Ok(Self { pool, acquire_timeout, answer_timeout: config.network_timeout })
    }

    /// A connection that goes back to the others when it is dropped.
    pub(crate) async fn get(&self) -> Result<Object, Fault> {
        match tokio::time::timeout(self.acquire_timeout, self.pool.get()).await {
            Ok(connection) => Ok(connection?),
            Err(_) => Err(Fault::Pool(StoreError::new(StoreErrorKind::Unavailable, "no connection in time"))),
        }
    }

    /// What speaks on a connection.
    pub(crate) const fn client<'a>(&self, connection: &'a ClientWrapper) -> Client<'a> {
        Client { connection, answer_timeout: self.answer_timeout }
    }

    /// How many there are, and how many are idle.
    pub(crate) fn status(&self) -> Status {
        self.pool.status()
    }

    /// Connects once, so that what is wrong is told at opening.
    pub(crate) async fn connect_once(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            deadpool_postgres::PoolError::Backend(error) => from_postgres(error),
            error => Fault::from(error).into(),
        })
    }
}

/// A connection in use, and how long an answer on it may take.
#[derive(Clone, Copy)]
pub(crate) struct Client<'a> {
    connection: &'a ClientWrapper,
    answer_timeout: Duration,
}

impl<'a> Client<'a> {
    pub(crate) const fn connection(self) -> &'a ClientWrapper {
        self.connection
    }

    /// Waits for an answer, or until the connection counts as lost.
    pub(crate) async fn with_timeout<T>(
        self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Fault> {
        match tokio::time::timeout(self.answer_timeout, answer).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Fault::Timeout),
        }
    }
}

/// A connection for one batch of statements. Unless it is given back, it is closed: a transaction
/// that was interrupted, by an error, by silence or by the end of the runtime, never reaches the
/// next user of the pool.
pub(crate) struct Lease<'a> {
    connections: &'a Connections,
    connection: Option<Object>,
}

impl<'a> Lease<'a> {
    pub(crate) async fn take(connections: &'a Connections) -> Result<Self, Fault> {
        Ok(Self { connections, connection: Some(connections.get().await?) })
    }

    pub(crate) fn client(&self) -> Result<Client<'_>, Fault> {
        let connection =
            self.connection.as_deref().ok_or(Fault::Corrupt("a connection that was given back"))?;
        Ok(self.connections.client(connection))
    }

    /// Gives the connection back. It is in no transaction.
    pub(crate) fn give_back(mut self) {
        drop(self.connection.take());
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            close(connection);
        }
    }
}

/// Closes a connection, whatever is under way on it: its task is aborted.
pub(crate) fn close(connection: Object) {
    drop(Object::take(connection));
}

/// Whether nothing can be said on the connection any more.
pub(crate) fn is_lost(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || error.as_db_error().is_none()
}
