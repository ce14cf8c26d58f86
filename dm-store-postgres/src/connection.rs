//! Connections: their settings, pools of them, and leases.

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

/// Parses the connection parameters and adds the settings that the store needs.
///
/// The settings are part of each session's start message, which costs no round trip.
///
/// They keep the planner from scanning tables: every statement names its rows by key, and a plan
/// that was made while the tables were small would otherwise still scan them when they are large.
/// The lock order of `RESERVE_ENTRIES` (`write/load/reserve.rs`) depends on these settings, too:
/// without hash and merge joins, only a nested loop is left.
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
        // The server ends the transaction of a node that vanished in the middle of a batch, and
        // frees its locks.
        millis(config.network_timeout.saturating_mul(2)),
        // Every statement names its tables without a schema.
        config.schema.as_str(),
    );
    parsed.options(options.trim()).connect_timeout(config.connect_timeout);
    // Checked on each new connection: after a failover an address may lead to a standby.
    parsed.target_session_attrs(TargetSessionAttrs::ReadWrite);
    parsed.tcp_user_timeout(config.network_timeout).keepalives_idle(config.network_timeout);
    if parsed.get_application_name().is_none() {
        parsed.application_name("dm-store-postgres");
    }
    Ok(parsed)
}

/// A connection that was idle for at least this time is checked with a round trip before it is used
/// again, because a firewall may have dropped it. A connection that was used more recently is not.
const CHECK_AFTER_IDLE: Duration = Duration::from_secs(1);

/// A pool of connections for one kind of work, reads or commits. Clones share the pool.
#[derive(Clone)]
pub(crate) struct Connections {
    pool: Pool,
    /// The time limit for getting a connection, including checks and new connections on the way.
    acquire_timeout: Duration,
    /// The time limit for the answer to one round trip.
    answer_timeout: Duration,
}

impl Connections {
    /// Creates a pool of up to `max` connections, without connecting. Connections are not reset
    /// between two uses: only the store uses them, and its statements leave no session state.
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
                    Err(_) => Err(HookError::message("an idle connection did not answer in time")),
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
        // Without this limit, each idle connection to a silent server would take a timeout of its
        // own.
        let acquire_timeout = config.wait_timeout.saturating_add(config.connect_timeout);
        Ok(Self { pool, acquire_timeout, answer_timeout: config.network_timeout })
    }

    /// Takes a connection. It returns to the pool when it is dropped.
    pub(crate) async fn get(&self) -> Result<Object, Fault> {
        match tokio::time::timeout(self.acquire_timeout, self.pool.get()).await {
            Ok(connection) => Ok(connection?),
            Err(_) => {
                Err(Fault::Pool(StoreError::new(StoreErrorKind::Unavailable, "no free connection in time")))
            }
        }
    }

    /// A client on a connection of this pool.
    pub(crate) const fn client<'a>(&self, connection: &'a ClientWrapper) -> Client<'a> {
        Client { connection, answer_timeout: self.answer_timeout }
    }

    /// The numbers of open and of idle connections.
    pub(crate) fn status(&self) -> Status {
        self.pool.status()
    }

    /// Takes a connection at opening, with the error that connecting gave if it fails.
    pub(crate) async fn connect_once(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            deadpool_postgres::PoolError::Backend(error) => from_postgres(error),
            error => Fault::from(error).into(),
        })
    }
}

/// A connection in use, with the time limit for answers on it.
#[derive(Clone, Copy)]
pub(crate) struct Client<'a> {
    connection: &'a ClientWrapper,
    answer_timeout: Duration,
}

impl<'a> Client<'a> {
    pub(crate) const fn connection(self) -> &'a ClientWrapper {
        self.connection
    }

    /// Waits for an answer.
    ///
    /// # Errors
    /// [`Fault::Timeout`] past the time limit; the connection then counts as lost.
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

/// A connection for one transaction. It is closed when it is dropped, unless it is given back. So a
/// transaction that was interrupted, by an error, a timeout or the end of the runtime, never
/// reaches the next user of the pool.
pub(crate) struct Lease<'a> {
    connections: &'a Connections,
    connection: Option<Object>,
}

impl<'a> Lease<'a> {
    pub(crate) async fn take(connections: &'a Connections) -> Result<Self, Fault> {
        Ok(Self { connections, connection: Some(connections.get().await?) })
    }

    pub(crate) fn client(&self) -> Result<Client<'_>, Fault> {
        let connection = self
            .connection
            .as_deref()
            .ok_or(Fault::Corrupt("the connection was already returned to the pool"))?;
        Ok(self.connections.client(connection))
    }

    /// Returns the connection, which must be in no transaction, to the pool.
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

/// Closes a connection, even with statements under way: its task is aborted.
pub(crate) fn close(connection: Object) {
    drop(Object::take(connection));
}

/// Whether the connection is of no more use after this error.
pub(crate) fn is_lost(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || error.as_db_error().is_none()
}
