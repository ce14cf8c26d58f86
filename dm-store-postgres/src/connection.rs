//! [`Connections`], a pool of connections to the server, and the settings of each database session.
//! [`TransactionLease`] is the connection that one transaction uses.

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
/// The settings are part of the startup message of each database session, so they cost no round
/// trip.
///
/// The planner settings (`enable_…`) prevent scans of whole tables. Every frequent statement can
/// find its rows by an index. Without the settings, a plan that was made while a table was small
/// would scan the whole table after the table has grown. The order in which the statement that
/// reserves entries (`write/load/reserve.rs`) locks rows also depends on these settings: without hash
/// and merge joins, the planner can only use a nested loop.
pub(crate) fn parameters(parameters: &str, config: &PostgresConfig) -> Result<Config, StoreError> {
    // The parser's error is left out, because it may quote the text, which may hold a password.
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
        // `idle_in_transaction_session_timeout`: if a node stops in the middle of a batch, the
        // server ends the transaction and releases its locks. A node that works never waits this
        // long between two statements of a transaction.
        millis(config.network_timeout.saturating_mul(2)),
        // `search_path`: statements name their tables without a schema.
        config.schema.as_str(),
    );
    parsed.options(options.trim()).connect_timeout(config.connect_timeout);
    // The client checks on each new connection that the server accepts writes, because an address
    // may lead to a standby after a failover.
    parsed.target_session_attrs(TargetSessionAttrs::ReadWrite);
    parsed.tcp_user_timeout(config.network_timeout).keepalives_idle(config.network_timeout);
    if parsed.get_application_name().is_none() {
        parsed.application_name("dm-store-postgres");
    }
    Ok(parsed)
}

/// The idle time after which a connection is checked with a round trip before its next use, because
/// a firewall may have dropped it. Under load, connections are idle for a shorter time and need no
/// check.
const CHECK_AFTER_IDLE: Duration = Duration::from_secs(1);

/// A pool of connections for one kind of work, reads or commits. Clones share the pool.
#[derive(Clone)]
pub(crate) struct Connections {
    pool: Pool,
    /// The time limit for getting a connection, including the checks of idle connections and the
    /// establishing of a new one.
    acquire_timeout: Duration,
    /// The time limit for the answer to one round trip.
    answer_timeout: Duration,
}

impl Connections {
    /// Creates a pool of up to `max` connections, without connecting.
    ///
    /// Connections are not reset between two uses, because only the store uses them and its
    /// statements change no state of the database session.
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
        // The pool limits each step of getting a connection, but not all steps together. If the
        // server does not answer, the check of each idle connection takes a whole timeout.
        let acquire_timeout = config.wait_timeout.saturating_add(config.connect_timeout);
        Ok(Self { pool, acquire_timeout, answer_timeout: config.network_timeout })
    }

    /// Takes a connection from the pool. Dropping the connection returns it to the pool.
    pub(crate) async fn get(&self) -> Result<Object, Fault> {
        match tokio::time::timeout(self.acquire_timeout, self.pool.get()).await {
            Ok(connection) => Ok(connection?),
            Err(_) => Err(Fault::Pool(StoreError::new(
                StoreErrorKind::Unavailable,
                "no connection became free in time",
            ))),
        }
    }

    /// A client on a connection of this pool, with the pool's time limit for answers.
    pub(crate) const fn client<'a>(&self, connection: &'a ClientWrapper) -> TimedClient<'a> {
        TimedClient { connection, answer_timeout: self.answer_timeout }
    }

    /// The pool's maximum size, and its numbers of open connections, idle connections and waiting
    /// calls.
    pub(crate) fn status(&self) -> Status {
        self.pool.status()
    }

    /// Takes the first connection, when the store is opened. If connecting fails, returns the error
    /// of the server or of the network.
    pub(crate) async fn first_connection(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            deadpool_postgres::PoolError::Backend(error) => from_postgres(error),
            error => Fault::from(error).into(),
        })
    }
}

/// A connection in use, with the time limit for each answer.
#[derive(Clone, Copy)]
pub(crate) struct TimedClient<'a> {
    connection: &'a ClientWrapper,
    answer_timeout: Duration,
}

impl<'a> TimedClient<'a> {
    pub(crate) const fn connection(self) -> &'a ClientWrapper {
        self.connection
    }

    /// Waits for the answer to one round trip.
    ///
    /// # Errors
    /// [`Fault::Timeout`] after the time limit. The connection then counts as lost. Otherwise the
    /// error of the answer.
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

/// A connection for one transaction.
///
/// Dropping the lease closes the connection. Only [`release`](Self::release) returns the connection
/// to the pool. So the next user of the pool never gets a connection whose transaction was
/// interrupted by an error, a timeout or the end of the runtime.
#[derive(Default)]
pub(crate) struct TransactionLease {
    /// `None` before [`connect`](Self::connect).
    connection: Option<Object>,
}

impl TransactionLease {
    /// Takes a connection from the pool. Closes the connection of an earlier call.
    pub(crate) async fn connect(&mut self, connections: &Connections) -> Result<TimedClient<'_>, Fault> {
        let connection = connections.get().await?;
        self.close();
        Ok(connections.client(self.connection.insert(connection)))
    }

    /// Returns the connection, which must be in no transaction, to the pool.
    pub(crate) fn release(mut self) {
        drop(self.connection.take());
    }

    /// Closes the connection, if there is one.
    fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            close(connection);
        }
    }
}

impl Drop for TransactionLease {
    fn drop(&mut self) {
        self.close();
    }
}

/// Closes a connection, even while the server runs its statements: the task that drives the
/// connection is aborted.
pub(crate) fn close(connection: Object) {
    drop(Object::take(connection));
}

/// Whether the connection is useless after this error: the connection is closed, or the error is
/// not one that the server reported.
pub(crate) fn is_lost(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || error.as_db_error().is_none()
}
