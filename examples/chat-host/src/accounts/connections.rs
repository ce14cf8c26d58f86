//! Connections to the shared database, and the time limits of work on them.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use dm_core::store::{StoreError, StoreErrorKind};
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::detached::detached;

/// The time limit of a call, and of its use of a connection.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The time limit of a statement at the server. It is less than the limit of a call, so that no
/// statement runs at the server after its connection was given up here.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(4);

/// The time limit of the check of an idle connection before its use. After a failover, each idle
/// connection may lead to a dead server. A call must check all of them and make a new connection in
/// time.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// A unit of work on a connection.
type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Parses the connection parameters, and adds the limits that detect a dead server.
pub(super) fn parameters(text: &str) -> Result<Config, StoreError> {
    // The parser's error may contain the text, which may have a password.
    let mut parsed: Config = text
        .parse()
        .map_err(|_| StoreError::new(StoreErrorKind::Engine, "the connection parameters are not valid"))?;
    let options = parsed.get_options().unwrap_or_default();
    let options = format!("{options} -c statement_timeout={}", STATEMENT_TIMEOUT.as_millis());
    parsed.options(options.trim()).connect_timeout(TIMEOUT).application_name("chat-host");
    // This is checked for each new connection: after a failover an address may lead to a standby,
    // which does not accept sign-ins.
    parsed.target_session_attrs(TargetSessionAttrs::ReadWrite);
    parsed.tcp_user_timeout(TIMEOUT).keepalives_idle(TIMEOUT);
    Ok(parsed)
}

/// A pool of connections for one kind of work. Clones share the pool.
#[derive(Clone, Debug)]
pub(super) struct Connections(Pool);

impl Connections {
    /// A pool of at most `limit` connections. No connection is made yet.
    pub(super) fn new(
        parameters: Config,
        tls: Option<MakeRustlsConnect>,
        limit: usize,
    ) -> Result<Self, StoreError> {
        let config = ManagerConfig { recycling_method: RecyclingMethod::Verified };
        let manager = match tls {
            Some(tls) => Manager::from_config(parameters, tls, config),
            None => Manager::from_config(parameters, NoTls, config),
        };
        Pool::builder(manager)
            .max_size(limit)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(TIMEOUT), create: Some(TIMEOUT), recycle: Some(CHECK_TIMEOUT) })
            .build()
            .map(Self)
            .map_err(|error| StoreError::new(StoreErrorKind::Engine, error))
    }

    /// Runs work on a connection. The call completes, or fails as unavailable, within [`TIMEOUT`].
    ///
    /// Work that has its connection runs to its end even if its caller is gone:
    ///
    /// - If the connection were returned to the pool during a statement, the next caller would wait
    ///   for the end of the statement.
    /// - If the connection were closed, the statement would continue at the server, and the next
    ///   connection would add another statement.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut ClientWrapper) -> Work<'a, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let pool = self.0.clone();
        let answer = detached(async move {
            let connection = checkout(&pool).await?;
            let done = tokio::spawn(run_to_end(connection, work)).await;
            done.map_err(|panicked| StoreError::new(StoreErrorKind::Engine, panicked))?
        });
        timeout(TIMEOUT, answer).await.unwrap_or_else(|_| Err(timed_out()))
    }
}

/// Runs work, and returns the connection to the pool. After a timeout the connection is closed
/// instead.
async fn run_to_end<T>(
    mut connection: Object,
    work: impl for<'a> FnOnce(&'a mut ClientWrapper) -> Work<'a, T> + Send,
) -> Result<T, StoreError> {
    if let Ok(done) = timeout(TIMEOUT, work(&mut connection)).await {
        return done;
    }
    drop(Object::take(connection));
    Err(timed_out())
}

async fn checkout(pool: &Pool) -> Result<Object, StoreError> {
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) => database_error(error),
        error => StoreError::new(StoreErrorKind::Unavailable, error.to_string()),
    })
}

fn timed_out() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the database did not answer in time")
}

/// Converts an error of the database. The server's details are left out, because they may contain
/// values of rows.
pub(super) fn database_error(error: tokio_postgres::Error) -> StoreError {
    match error.as_db_error() {
        Some(error) => {
            let is_late = *error.code() == SqlState::QUERY_CANCELED;
            let kind = if is_late { StoreErrorKind::Unavailable } else { StoreErrorKind::Engine };
            StoreError::new(kind, format!("{} (SQLSTATE {})", error.message(), error.code().code()))
        }
        None => StoreError::new(StoreErrorKind::Unavailable, error),
    }
}
